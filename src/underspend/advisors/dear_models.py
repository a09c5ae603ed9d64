"""Dear models on simple work: what the same tokens would have cost a step further down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from underspend.advisors.claimed import Claimed
from underspend.advisors.mid_session import MidSession
from underspend.advisors.model_steps import Elsewhere, cheaper, elsewhere, tier_of
from underspend.advisors.rule_data import rules
from underspend.advisors.simple_work import Work, work_of
from underspend.core.advisor import Advisor, Confidence, Finding, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import History, Timeline
from underspend.core.money import Money, show

_WHAT = {
    Work.BACKGROUND: "Background calls (titles, checks)",
    Work.EXPLORING_AGENTS: "Exploring sub-agents",
    Work.READING_SESSIONS: "Sessions that only read",
}
_FIXES = {
    Work.BACKGROUND: 'In settings.json: "env": {"ANTHROPIC_DEFAULT_HAIKU_MODEL": "<the cheaper model of the rows>"}.',
    Work.EXPLORING_AGENTS: (
        'In the agent\'s file (.claude/agents/<name>.md), frontmatter: "model: haiku" (or sonnet). For all sub-agents'
        ' at once, in settings.json: "env": {"CLAUDE_CODE_SUBAGENT_MODEL": "haiku"}; it beats the frontmatter.'
    ),
    Work.READING_SESSIONS: (
        "Start questions about a codebase with `claude --model sonnet` (or haiku). Choose at the start: a switch within"
        " a session writes the whole context to the other model's cache."
    ),
}
_WHY = (
    "The dollars are your own tokens, reply by reply, at the prices and minimum cache prefix of the cheaper model then"
    " current; its own writes and reads of the cache are counted, and a heavier tokenizer. Only whole sessions and"
    " agents: a switch midway would rewrite the cache. {low} is one step down, {high} the cheapest that holds the"
    " prompts. Whether it does the work as well is not in the records; `would_equal` is how many percent of the tokens"
    " it may use before it costs as much."
)


@dataclass(frozen=True, slots=True)
class _Run:
    """A whole timeline of simple work on one model, and the same on cheaper ones, the next one down first."""

    work: Work
    label: str
    timeline: Timeline
    model: str
    paid: Money
    others: tuple[tuple[str, Elsewhere], ...]

    @property
    def best(self) -> tuple[str, Elsewhere] | None:
        """The next model down that holds the prompts and costs less."""
        return next((pair for pair in self.others if pair[1].gain > 0), None)

    @property
    def lowest(self) -> tuple[str, Elsewhere] | None:
        """The one that saves most."""
        return max(self.others, key=lambda pair: pair[1].gain, default=None)


@dataclass(slots=True)
class _Group:
    """Runs of one kind on one model with the same next model down."""

    model: str
    other: str
    runs: list[_Run] = field(default_factory=list)

    @property
    def paid(self) -> Money:
        return sum(run.paid for run in self.runs)

    @property
    def low(self) -> Money:
        return sum(run.best[1].gain for run in self.runs if run.best)

    @property
    def high(self) -> Money:
        return sum(max(run.lowest[1].gain, run.best[1].gain) for run in self.runs if run.lowest and run.best)

    def row(self) -> Mapping[str, str | int]:
        """The group as a line of evidence."""
        would = self.paid - self.low
        lowest = max((run.lowest for run in self.runs if run.lowest), key=lambda pair: pair[1].gain, default=None)
        return {
            "what": self.runs[0].label,
            "model": self.model,
            "runs": len(self.runs),
            "replies": sum(len(run.timeline.replies) for run in self.runs),
            "paid": show(self.paid),
            "cheaper": self.other,
            "would": show(would),
            "would_equal": f"{self.paid * 100 // would if would else 0} %",
            "cheapest": lowest[0] if lowest else "",
            "saves_at_most": show(self.high),
        }


class DearModels(Advisor):
    """One finding per kind of simple work, and what the user's own numbers speak against."""

    __slots__ = ()
    name: ClassVar[str] = "dear-models"

    def advise(self, history: History, around: Surroundings) -> Iterable[Finding]:
        """Savings first, then what is not recommended."""
        runs = [run for line in history.timelines if (run := _run(line, around))]
        against = list(_against(runs))
        refused = {group_key for group_key, _ in against}
        for work in Work:
            groups = [
                group for key, group in _groups(runs).items() if key[0] is work and key not in refused and group.low > 0
            ]
            if groups:
                yield _saving(work, groups, around)
        if against:
            yield _no_gain([row for _, row in against])
        yield from MidSession(history, around).finding(self.name)


_Key = tuple[Work, str, str, str]


def _run(timeline: Timeline, around: Surroundings) -> _Run | None:
    work, replies = work_of(timeline), timeline.replies
    models = {reply.metered.model for reply in replies}
    if work is None or len(models) != 1:
        return None
    model = models.pop()
    paid = sum(around.bills[reply.message_id].total for reply in replies if reply.message_id in around.bills)
    if model is None or not paid:
        return None
    tried = [(other.id, elsewhere(replies, other, around)) for other in cheaper(model, replies[0].at)]
    label = (timeline.agent_type or "agent") if work is Work.EXPLORING_AGENTS else work.value.replace("-", " ")
    return _Run(work, label, timeline, model, paid, tuple(pair for pair in tried if pair[1].fits))


def _groups(runs: Iterable[_Run]) -> dict[_Key, _Group]:
    groups: dict[_Key, _Group] = {}
    for run in runs:
        if run.best:
            key = (run.work, run.label, run.model, run.best[0])
            groups.setdefault(key, _Group(run.model, run.best[0])).runs.append(run)
    return groups


def _against(runs: list[_Run]) -> Iterator[tuple[_Key, Mapping[str, str | int]]]:
    """What the user's own numbers speak against: cheaper models on which such runs cost no less."""
    least = rules("dear_models")["runs_to_compare"]
    paid: dict[tuple[Work, str, int | None], list[Money]] = defaultdict(list)
    for run in runs:
        paid[run.work, run.label, tier_of(run.model)].append(run.paid)
    for key, group in _groups(runs).items():
        there = paid.get((key[0], key[1], tier_of(group.other)), [])
        mean = group.paid // len(group.runs)
        if len(there) >= least and sum(there) // len(there) >= mean:
            yield key, _row_against(group, sum(there) // len(there), f"your {len(there)} runs there cost that")
    for run in runs:
        if run.others and not run.best:
            other, same = run.others[0]
            group = _Group(run.model, other, [run])
            yield (run.work, run.label, run.model, other), _row_against(group, same.would, "the same tokens cost that")


def _row_against(group: _Group, there: Money, because: str) -> Mapping[str, str | int]:
    return {
        "what": group.runs[0].label,
        "model": group.model,
        "runs": len(group.runs),
        "a_run": show(group.paid // len(group.runs)),
        "cheaper": group.other,
        "a_run_there": show(there),
        "because": because,
    }


def _saving(work: Work, groups: list[_Group], around: Surroundings) -> Finding:
    low, high = sum(group.low for group in groups), sum(group.high for group in groups)
    span = show(low) if high <= low else f"{show(low)} to {show(high)}"
    claimed = Claimed(around.bills)
    for run in (run for group in groups for run in group.runs if run.best):
        for reply, lane, amount in run.best[1].saved if run.best else ():
            claimed.add(reply, lane, amount)
    return Finding(
        id=f"{DearModels.name}/{work.value}",
        urgency=Urgency.HABIT if work is Work.READING_SESSIONS else Urgency.FIX_NOW,
        title=f"{_WHAT[work]} ran on dear models: {span} could be saved",
        amount=low,
        confidence=Confidence.LOW if work is Work.READING_SESSIONS else Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=_WHY.format(low=show(low), high=show(high)),
        fix=_FIXES[work],
        claims=claimed.claims(low),
        rows=tuple(group.row() for group in sorted(groups, key=lambda group: -group.low)),
    )


def _no_gain(rows: list[Mapping[str, str | int]]) -> Finding:
    return Finding(
        id=f"{DearModels.name}/no-gain",
        urgency=Urgency.FYI,
        title="Cheaper models that would not have been cheaper for you",
        amount=0,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why="Your own runs of the same kind cost no less there (more replies, more tokens), or the cache did not pay.",
        rows=tuple(rows),
    )
