"""What sub-agents cost by type, what of it only filled their caches, and how many ran at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from underspend.advisors.claimed import NO_BILL, Claimed
from underspend.advisors.reading import accounts_of, first, replies_of
from underspend.core.advisor import Advisor, Confidence, Finding, Seen, Surroundings, Urgency
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
_FAN_OUT = "sub-agents/fan-out"
_FIX = (
    'Model for all: settings.json "env": {"CLAUDE_CODE_SUBAGENT_MODEL": "haiku"} (inherit = the main model; it beats'
    ' frontmatter). For one type: "model: sonnet" in the frontmatter of .claude/agents/<name>.md. A shorter "tools:"'
    " list there makes its prefix smaller."
)
_FAN_OUT_FIX = (
    "Ask for the number you want: “use at most 4 sub-agents”. Give each a larger part; what the type does in most of"
    " its runs belongs into one run. Start one first: those that follow can read its prefix."
)


class Type(msgspec.Struct, array_like=True, gc=False):
    """The runs of one agent type."""

    runs: int = 0
    replies: int = 0
    prefix_tokens: int = 0
    prefix: Money = 0
    paid: Money = 0
    useful: int = 0
    models: set[str] = msgspec.field(default_factory=set)

    def add(self, line: Timeline, useful: int, around: Surroundings) -> None:
        """Count one run."""
        replies = replies_of(line, around)
        self.runs += 1
        self.replies += len(replies)
        self.prefix_tokens += sum(replies[0].metered.usage.lane(lane) for lane in _WRITES)
        self.prefix += _prefix(replies[0], around)
        self.paid += _paid(line, around)
        self.useful += useful
        self.models.update(reply.metered.model or "unknown" for reply in replies)

    def merge(self, other: Type) -> None:
        """Count in what another has counted."""
        self.runs += other.runs
        self.replies += other.replies
        self.prefix_tokens += other.prefix_tokens
        self.prefix += other.prefix
        self.paid += other.paid
        self.useful += other.useful
        self.models |= other.models

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


class FanOut(msgspec.Struct, array_like=True, gc=False):
    """A session with too many sub-agents at once, as evidence."""

    session: str
    most: int
    extra: int
    prefixes: Money

    def order(self) -> tuple[object, ...]:
        """The dearest first."""
        return -self.prefixes, -self.extra, self.session


class AgentFacts(msgspec.Struct, array_like=True, gc=False):
    """The types of agents, what the sessions with agents cost in all, and the crowded ones of these."""

    types: dict[str, Type]
    whole: Money
    crowds: list[FanOut]


class SubAgents(Advisor[AgentFacts]):
    """The economics of sub-agents by type, and the fan-outs above four at once."""

    __slots__ = ()
    name: ClassVar[str] = "sub-agents"
    facts: ClassVar[type] = AgentFacts

    def look(self, history: History, around: Surroundings) -> Seen | None:
        """Nothing for sessions without sub-agents."""
        agents = [line for line in history.timelines if is_agent(line) and replies_of(line, around)]
        if not agents:
            return None
        types: dict[str, Type] = defaultdict(Type)
        handed_back = _handed_back(history, agents)
        for line in agents:
            types[line.agent_type or "(type unknown)"].add(line, useful_output(line, handed_back), around)
        sessions = {line.session for line in agents}
        whole = sum(_paid(line, around) for line in history.timelines if line.session in sessions)
        claimed = Claimed(around.bills)
        found = [_fan_out(crowd, claimed, around) for crowd in crowds(agents)]
        return Seen(AgentFacts(dict(types), whole, found), {_FAN_OUT: claimed.all()})

    def sum_up(self, facts: Sequence[AgentFacts], around: Surroundings) -> Iterable[Finding]:
        """What each type cost, and the fan-outs, where there were sub-agents."""
        del around
        types: dict[str, Type] = defaultdict(Type)
        for each in facts:
            for name, known in each.types.items():
                types[name].merge(known)
        if types:
            yield _economics(types, sum(each.whole for each in facts))
        found = first((each.crowds for each in facts), FanOut.order)
        if found:
            yield _crowded(found)


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
    results = (event for line in history.timelines for event in line.events if type(event) is Result)
    return {result.use_id: result.size for result in results if result.use_id in uses}


def _paid(line: Timeline, around: Surroundings) -> Money:
    return sum([bill.total for _, _, bill in accounts_of(line, around)])


def _prefix(reply: Answered, around: Surroundings) -> Money:
    bill = around.bills.get(reply.message_id, NO_BILL)
    return sum(bill.lane(lane) for lane in _WRITES)


def _economics(types: Mapping[str, Type], whole: Money) -> Finding:
    runs = sum(each.runs for each in types.values())
    paid, prefix = sum(each.paid for each in types.values()), sum(each.prefix for each in types.values())
    share = f"{paid * 100 // whole} %" if whole else "no known part"
    ordered = sorted(types.items(), key=lambda pair: (-pair[1].paid, pair[0]))
    return Finding(
        id=f"{SubAgents.name}/economics",
        urgency=Urgency.FYI,
        title=f"{runs} sub-agents cost {show(paid)}, {share} of their sessions; {show(prefix)} to fill caches",
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


def _fan_out(crowd: Crowd, claimed: Claimed, around: Surroundings) -> FanOut:
    prefixes = 0
    for line in crowd.extra:
        earliest = line.replies[0]
        bill = around.bills.get(earliest.message_id, NO_BILL)
        prefixes += sum(claimed.add(earliest, lane, bill.lane(lane)) for lane in _WRITES)
    return FanOut(crowd.session, crowd.most, len(crowd.extra), prefixes)


def _crowded(found: Sequence[FanOut]) -> Finding:
    extra = sum(each.extra for each in found)
    return Finding(
        id=_FAN_OUT,
        urgency=Urgency.HABIT,
        title=f"{extra} sub-agents were started while {SWEET_SPOT} others ran, in {len(found)} sessions",
        amount=sum(each.prefixes for each in found),
        confidence=Confidence.MEDIUM,
        evidence=Evidence.BILLED,
        why=(
            "Agents started together cannot read each other's prefix: it can be read only once the first reply has"
            " begun. The dollars are only the prefixes those further agents wrote; the work itself would have been done"
            " by the four."
        ),
        fix=_FAN_OUT_FIX,
        claimed=(_FAN_OUT,),
        rows=tuple(
            {
                "session": each.session,
                "most_at_once": each.most,
                "extra": each.extra,
                "prefixes": show(each.prefixes),
            }
            for each in found[:_ROWS]
        ),
    )
