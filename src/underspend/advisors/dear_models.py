"""Dear models on simple work: what the same tokens would have cost a step further down."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from underspend.advisors.claimed import Claimed
from underspend.advisors.mid_session import Turns, mid_session, switching
from underspend.advisors.model_steps import Elsewhere, cheaper, elsewhere, tier_of
from underspend.advisors.reading import replies_of
from underspend.advisors.rule_data import rules
from underspend.advisors.simple_work import Work, work_of
from underspend.core.advisor import Advisor, Confidence, Finding, Seen, Surroundings, Urgency
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


class Group(msgspec.Struct, array_like=True, gc=False):
    """Runs of one kind on one model with the same next model down (`other`): what was paid and what could be saved."""

    work: str
    label: str
    model: str
    other: str
    runs: int = 0
    replies: int = 0
    paid: Money = 0
    low: Money = 0
    high: Money = 0
    cheapest: str = ""
    cheapest_gain: Money = 0

    @property
    def key(self) -> Key:
        """What makes two groups one."""
        return self.work, self.label, self.model, self.other

    @property
    def claimed(self) -> str:
        """The name of the group's claims."""
        return f"{DearModels.name}/{'/'.join(self.key)}"

    def add(self, run: _Run) -> None:
        """Count one run in."""
        if run.best is None or run.lowest is None:
            return
        gain = run.best[1].gain
        name, best = run.lowest[0], run.lowest[1].gain
        self.merge(Group(*self.key, 1, len(run.timeline.replies), run.paid, gain, max(best, gain), name, best))

    def merge(self, more: Group) -> None:
        """Count in what another has counted."""
        self.runs += more.runs
        self.replies += more.replies
        self.paid += more.paid
        self.low += more.low
        self.high += more.high
        self.cheapest_gain, self.cheapest = max(
            (self.cheapest_gain, self.cheapest), (more.cheapest_gain, more.cheapest)
        )

    def row(self) -> Mapping[str, str | int]:
        """The group as a line of evidence."""
        would = self.paid - self.low
        return {
            "what": self.label,
            "model": self.model,
            "runs": self.runs,
            "replies": self.replies,
            "paid": show(self.paid),
            "cheaper": self.other,
            "would": show(would),
            "would_equal": f"{self.paid * 100 // would if would else 0} %",
            "cheapest": self.cheapest,
            "saves_at_most": show(self.high),
        }


class Dearer(msgspec.Struct, array_like=True, gc=False):
    """A run for which no cheaper model is cheaper: what it cost and would have cost one step down."""

    work: str
    label: str
    model: str
    other: str
    paid: Money
    would: Money


class Paid(msgspec.Struct, array_like=True, gc=False):
    """What runs of one kind on models of one tier cost together."""

    work: str
    label: str
    tier: int | None
    runs: int
    paid: Money


class ModelFacts(msgspec.Struct, array_like=True, gc=False):
    """Runs of simple work by group, those that would cost more elsewhere, all by tier; turns in mid-session."""

    groups: list[Group]
    dearer: list[Dearer]
    paid: list[Paid]
    turns: Turns


class DearModels(Advisor[ModelFacts]):
    """One finding per kind of simple work, and what the user's own numbers speak against."""

    __slots__ = ()
    name: ClassVar[str] = "dear-models"
    facts: ClassVar[type] = ModelFacts

    def look(self, history: History, around: Surroundings) -> Seen | None:
        """Whole runs of simple work with what they would have cost elsewhere, and turns that only read."""
        runs = [run for line in history.timelines if (run := _run(line, around))]
        turns = mid_session(history, around)
        if not (runs or turns.count):
            return None
        groups: dict[Key, Group] = {}
        claims: dict[str, Claimed] = defaultdict(lambda: Claimed(around.bills))
        dearer = []
        for run in runs:
            if run.best:
                key = (run.work.value, run.label, run.model, run.best[0])
                group = groups.setdefault(key, Group(*key))
                group.add(run)
                for reply, lane, amount in run.best[1].saved:
                    claims[group.claimed].add(reply, lane, amount)
            elif run.others:
                other, same = run.others[0]
                dearer.append(Dearer(run.work.value, run.label, run.model, other, run.paid, same.would))
        paid = [Paid(run.work.value, run.label, tier_of(run.model), 1, run.paid) for run in runs]
        facts = ModelFacts(list(groups.values()), dearer, paid, turns)
        return Seen(facts, {name: claimed.all() for name, claimed in claims.items()})

    def sum_up(self, facts: Sequence[ModelFacts], around: Surroundings) -> Iterable[Finding]:
        """Savings first, then what is not recommended."""
        del around
        groups: dict[Key, Group] = {}
        for more in (group for each in facts for group in each.groups):
            groups.setdefault(more.key, Group(*more.key)).merge(more)
        against = sorted(_against(groups, facts), key=lambda each: (each[0], sorted(map(str, each[1].values()))))
        refused = {key for key, _ in against}
        for work in Work:
            kept = [
                group for key, group in groups.items() if key[0] == work.value and key not in refused and group.low > 0
            ]
            if kept:
                yield _saving(work, kept)
        if against:
            yield _no_gain([row for _, row in against])
        yield from switching(self.name, [each.turns for each in facts])


Key = tuple[str, str, str, str]
"""The kind of work, its label, the model, the cheaper one."""


def _run(timeline: Timeline, around: Surroundings) -> _Run | None:
    work, replies = work_of(timeline), replies_of(timeline, around)
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


def _against(groups: Mapping[Key, Group], facts: Sequence[ModelFacts]) -> Iterator[tuple[Key, Mapping[str, str | int]]]:
    """What the user's own numbers speak against: cheaper models on which such runs cost no less."""
    least = rules("dear_models")["runs_to_compare"]
    runs: Counter[tuple[str, str, int | None]] = Counter()
    paid: Counter[tuple[str, str, int | None]] = Counter()
    for each in (each for known in facts for each in known.paid):
        runs[each.work, each.label, each.tier] += each.runs
        paid[each.work, each.label, each.tier] += each.paid
    for key, group in groups.items():
        place = (group.work, group.label, tier_of(group.other))
        if runs[place] >= least and paid[place] // runs[place] >= group.paid // group.runs:
            there = paid[place] // runs[place]
            yield key, _row_against(group, there, f"your {runs[place]} runs there cost that")
    for one in (one for known in facts for one in known.dearer):
        alone = Group(one.work, one.label, one.model, one.other, 1, 0, one.paid)
        yield alone.key, _row_against(alone, one.would, "the same tokens cost that")


def _row_against(group: Group, there: Money, because: str) -> Mapping[str, str | int]:
    return {
        "what": group.label,
        "model": group.model,
        "runs": group.runs,
        "a_run": show(group.paid // group.runs),
        "cheaper": group.other,
        "a_run_there": show(there),
        "because": because,
    }


def _saving(work: Work, groups: list[Group]) -> Finding:
    low, high = sum(group.low for group in groups), sum(group.high for group in groups)
    span = show(low) if high <= low else f"{show(low)} to {show(high)}"
    return Finding(
        id=f"{DearModels.name}/{work.value}",
        urgency=Urgency.HABIT if work is Work.READING_SESSIONS else Urgency.FIX_NOW,
        title=f"{_WHAT[work]} ran on dear models: {span} could be saved",
        amount=low,
        confidence=Confidence.LOW if work is Work.READING_SESSIONS else Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=_WHY.format(low=show(low), high=show(high)),
        fix=_FIXES[work],
        claimed=tuple(group.claimed for group in groups),
        rows=tuple(group.row() for group in sorted(groups, key=lambda group: (-group.low, group.key))),
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
