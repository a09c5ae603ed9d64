"""What sub-agents cost by type, what of it only filled their caches, and how many ran at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from underspend.advisors.claimed import NO_BILL, Claimed
from underspend.core.advisor import Advisor, Confidence, Finding, Surroundings, Urgency
from underspend.core.call import Role
from underspend.core.evidence import Evidence
from underspend.core.history import Answered, History, Result, Timeline
from underspend.core.money import Money, scale, show
from underspend.core.usage import Lane
from underspend.tokens.estimate import tokens_in

SWEET_SPOT = 4
"""Sub-agents at once beyond which more are advised against (AI Builder Club, strategy 5: "4 is the sweet spot")."""

_WRITES = (Lane.CACHE_WRITE_5M, Lane.CACHE_WRITE_1H)
_ROWS = 20
_FIX = (
    'Model for all: settings.json "env": {"CLAUDE_CODE_SUBAGENT_MODEL": "haiku"} (inherit = the main model; it beats'
    ' frontmatter). For one type: "model: sonnet" in the frontmatter of .claude/agents/<name>.md. A shorter "tools:"'
    " list there makes its prefix smaller."
)
_FAN_OUT_FIX = (
    "Ask for the number you want: “use at most 4 sub-agents”. Give each a larger part; what the type does in most of"
    " its runs belongs into one run. Start one first: those that follow can read its prefix."
)


@dataclass(slots=True)
class _Type:
    """The runs of one agent type."""

    runs: int = 0
    replies: int = 0
    prefix_tokens: int = 0
    prefix: Money = 0
    paid: Money = 0
    useful: int = 0
    models: set[str] = field(default_factory=set)

    def add(self, line: Timeline, useful: int, around: Surroundings) -> None:
        """Count one run."""
        replies = line.replies
        self.runs += 1
        self.replies += len(replies)
        self.prefix_tokens += sum(replies[0].metered.usage.lane(lane) for lane in _WRITES)
        self.prefix += _prefix(replies[0], around)
        self.paid += _paid(line, around)
        self.useful += useful
        self.models.update(reply.metered.model or "unknown" for reply in replies)

    def row(self, name: str) -> Mapping[str, str | int]:
        """The type as a line of evidence."""
        return {
            "agent_type": name,
            "models": ", ".join(sorted(self.models)),
            "runs": self.runs,
            "replies": self.replies,
            "prefix_tokens_a_run": self.prefix_tokens // self.runs,
            "prefix": show(self.prefix),
            "paid": show(self.paid),
            "useful_tokens": self.useful,
            "usd_per_1k_useful": show(scale(self.paid, 1000, self.useful)) if self.useful else "—",
        }


class SubAgents(Advisor):
    """The economics of sub-agents by type, and the fan-outs above four at once."""

    __slots__ = ()
    name: ClassVar[str] = "sub-agents"

    def advise(self, history: History, around: Surroundings) -> Iterable[Finding]:
        """Nothing for a history without sub-agents."""
        agents = [line for line in history.timelines if is_agent(line) and line.replies]
        if agents:
            yield _economics(agents, history, around)
            yield from _fan_out(agents, around)


def is_agent(line: Timeline) -> bool:
    """Whether a timeline is a sub-agent's."""
    return line.role is Role.SUBAGENT or (line.agent is not None and line.role in {Role.MAIN, Role.UNKNOWN})


def useful_output(line: Timeline, handed_back: Mapping[str, int]) -> int:
    """About how many tokens of text a sub-agent gave: its last text, or the result its parent got, if that is longer.

    `handed_back` are the characters of results by the id of the use they answer. A sub-agent in the background first
    answers with a short note, and the last text of some versions is recorded only as the result.
    """
    last = next((reply.text_chars for reply in reversed(line.replies) if reply.text_chars), 0)
    return tokens_in(max(last, handed_back.get(line.parent_use or "", 0)))


def _handed_back(history: History, agents: Iterable[Timeline]) -> dict[str, int]:
    uses = {line.parent_use for line in agents if line.parent_use}
    results = (event for line in history.timelines for event in line.events if isinstance(event, Result))
    return {result.use_id: result.size for result in results if result.use_id in uses}


def _paid(line: Timeline, around: Surroundings) -> Money:
    return sum(around.bills.get(reply.message_id, NO_BILL).total for reply in line.replies)


def _prefix(reply: Answered, around: Surroundings) -> Money:
    bill = around.bills.get(reply.message_id, NO_BILL)
    return sum(bill.lane(lane) for lane in _WRITES)


def _economics(agents: list[Timeline], history: History, around: Surroundings) -> Finding:
    types: dict[str, _Type] = defaultdict(_Type)
    handed_back = _handed_back(history, agents)
    for line in agents:
        types[line.agent_type or "(type unknown)"].add(line, useful_output(line, handed_back), around)
    sessions = {line.session for line in agents}
    whole = sum(_paid(line, around) for line in history.timelines if line.session in sessions)
    paid, prefix = sum(each.paid for each in types.values()), sum(each.prefix for each in types.values())
    share = f"{paid * 100 // whole} %" if whole else "no known part"
    ordered = sorted(types.items(), key=lambda pair: -pair[1].paid)
    return Finding(
        id=f"{SubAgents.name}/economics",
        urgency=Urgency.FYI,
        title=f"{len(agents)} sub-agents cost {show(paid)}, {share} of their sessions; {show(prefix)} to fill caches",
        amount=0,
        confidence=Confidence.HIGH,
        evidence=Evidence.BILLED,
        why=(
            "Each sub-agent writes a prefix of its own (tools, instructions, its task) before it does anything: the"
            " writes of its first reply. `useful_tokens` are those of the last text it gave, estimated from its"
            " length."
        ),
        fix=_FIX,
        rows=tuple(each.row(name) for name, each in ordered[:_ROWS]),
    )


@dataclass(frozen=True, slots=True)
class Crowd:
    """The sub-agents of one session that were started while four others ran, and the most at once."""

    session: str
    most: int
    extra: list[Timeline]


def crowds(agents: Iterable[Timeline]) -> Iterator[Crowd]:
    """The sessions that ran more than four sub-agents at once."""
    sessions: dict[str, list[Timeline]] = defaultdict(list)
    for line in agents:
        sessions[line.session].append(line)
    for session, lines in sessions.items():
        ends: list[int] = []
        most, extra = 0, []
        for line in sorted(lines, key=lambda line: line.replies[0].at):
            start = line.replies[0].at
            ends = [*(end for end in ends if end > start), max(reply.at for reply in line.replies)]
            most = max(most, len(ends))
            if len(ends) > SWEET_SPOT:
                extra.append(line)
        if extra:
            yield Crowd(session, most, extra)


def _fan_out(agents: list[Timeline], around: Surroundings) -> Iterator[Finding]:
    found, claimed = list(crowds(agents)), Claimed(around.bills)
    rows: list[Mapping[str, str | int]] = []
    for crowd in found:
        mine = 0
        for line in crowd.extra:
            first = line.replies[0]
            bill = around.bills.get(first.message_id, NO_BILL)
            mine += sum(claimed.add(first, lane, bill.lane(lane)) for lane in _WRITES)
        rows.append(
            {"session": crowd.session, "most_at_once": crowd.most, "extra": len(crowd.extra), "prefixes": show(mine)}
        )
    if not found:
        return
    extra = sum(len(crowd.extra) for crowd in found)
    yield Finding(
        id=f"{SubAgents.name}/fan-out",
        urgency=Urgency.HABIT,
        title=f"{extra} sub-agents were started while {SWEET_SPOT} others ran, in {len(found)} sessions",
        amount=claimed.total,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.BILLED,
        why=(
            "Agents started together cannot read each other's prefix: it can be read only once the first reply has"
            " begun. The dollars are only the prefixes those further agents wrote; the work itself would have been done"
            " by the four."
        ),
        fix=_FAN_OUT_FIX,
        claims=claimed.claims(),
        rows=tuple(rows[:_ROWS]),
    )
