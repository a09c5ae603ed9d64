"""Watching calls for what runs away: loops, fan-out, speed of spending; and what is paused. Pure: times are arguments.

Nothing here looks at text: tools by their name, inputs and results by digests. What it holds is bounded: of too many
sessions the one seen longest ago is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from underspend.core.alerts import MINUTE, Kind
from underspend.core.call import Call, Role
from underspend.core.evidence import Evidence
from underspend.core.loops import LoopRules, Loops
from underspend.core.money import Money, show
from underspend.core.steps import Step
from underspend.core.velocity import Pace, Velocity
from underspend.core.verdict import Level, Verdict

_CONVERSATIONS = 4_000
_SESSIONS = 2_000
_PAUSES = 2_000
_AGENTS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOutRules:
    """How many different sub-agents of a session may be at work within `window` (µs) before it is said."""

    warn: int = 20
    pause: int = 60
    window: int = 10 * MINUTE

    def __post_init__(self) -> None:
        """Refuse what cannot be meant. Raises ValueError."""
        if self.warn < 1 or self.pause < self.warn or self.window < 1:
            raise ValueError("a fan-out is warned of from one agent on, and pausing is advised no earlier than warning")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunawayRules:
    """What is watched, None for what is not; `may_pause` names the kinds whose advice to pause is taken.

    A pause ends with the user's next prompt (a loop's), by `lift`, or after `pause_for` microseconds.
    """

    loops: LoopRules | None = field(default_factory=LoopRules)
    fan_out: FanOutRules | None = field(default_factory=FanOutRules)
    pace: Pace | None = field(default_factory=Pace)
    may_pause: frozenset[Kind] = frozenset()
    pause_for: int = 10 * MINUTE


class FanOut:
    """The sub-agents of one session that are at work: who called within the window, and for how much."""

    def __init__(self, rules: FanOutRules) -> None:
        self._rules = rules
        self._agents: OrderedDict[str, list[int]] = OrderedDict()
        self._evidence = Evidence.BILLED

    def take(self, step: Step) -> list[Verdict]:
        """Take in a step of a sub-agent; a verdict when too many are at work."""
        if step.agent is None:
            return []
        seen = self._agents.setdefault(step.agent, [step.at, 0])
        seen[:] = [max(seen[0], step.at), seen[1] + step.cost]
        self._agents.move_to_end(step.agent)
        self._evidence = self._evidence.weaker(step.evidence)
        since = step.at - self._rules.window
        while self._agents and (next(iter(self._agents.values()))[0] < since or len(self._agents) > _AGENTS):
            self._agents.popitem(last=False)
        count, cost = len(self._agents), sum(spent for _, spent in self._agents.values())
        if count < self._rules.warn:
            return []
        return [
            Verdict(
                level=Level.PAUSE if count >= self._rules.pause else Level.WARN,
                kind=Kind.FAN_OUT,
                words=f"{count:,} sub-agents were at work within {self._rules.window // MINUTE} minutes: {show(cost)}.",
                key=f"fan_out|{step.session or step.key}",
                at=step.at,
                session=step.session,
                dollars=cost,
                evidence=self._evidence,
            )
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Calls that are not sent for now: a session's, one agent's of it, or (without a session) all.

    `turn` is the loop's: another turn means that the user has spoken, which ends it. None is ended by time alone.
    """

    words: str
    since: int
    until: int
    session: str | None = None
    agent: str | None = None
    turn: str | None = None
    kind: Kind = Kind.LOOP


class Runaway:
    """All that is watched of one gateway."""

    def __init__(self, rules: RunawayRules) -> None:
        self._rules = rules
        self._loops: OrderedDict[tuple[str, str], Loops] = OrderedDict()
        self._fans: OrderedDict[str, FanOut] = OrderedDict()
        self._velocity = Velocity(rules.pace) if rules.pace is not None else None
        self._pauses: OrderedDict[tuple[str | None, str | None], Pause] = OrderedDict()
        self._spared: OrderedDict[str | None, int] = OrderedDict()

    @property
    def looks_at_steps(self) -> bool:
        """Whether the blocks of calls are needed."""
        return self._rules.loops is not None

    @property
    def has_pauses(self) -> bool:
        """Whether any call may be paused; some of these may be over."""
        return bool(self._pauses)

    def remember(self, spent: Iterable[tuple[int, Money]]) -> None:
        """Take in what was spent before the start: (µs, pico-dollars), oldest first."""
        if self._velocity is not None:
            for at, amount in spent:
                self._velocity.remember(amount, at)

    def watch(
        self, step: Step, role: Role = Role.UNKNOWN, *, known_at: int | None = None, may_pause: bool = True
    ) -> list[Verdict]:
        """Take in an answered call; what it shows. Advice to pause is taken where the rules say so.

        `known_at` is when its bill was known, the step's own time where not given. The client's own side calls and
        compactions count for the speed of spending alone. Without `may_pause` the call is only observed.
        """
        found: list[Verdict] = []
        if role not in {Role.SIDE, Role.COMPACTION}:
            found += self._loop(step)
            found += self._fan(step)
        if self._velocity is not None:
            verdict = self._velocity.spend(step.cost, step.at if known_at is None else known_at, step.evidence)
            found += [verdict] if verdict is not None else []
        return [self._taken(verdict, step) for verdict in found] if may_pause else found

    def paused(self, call: Call, at: int) -> Pause | None:
        """The pause that a call falls under; one that time or a new prompt has ended is taken off."""
        identity = call.identity
        for key in ((identity.session, identity.agent), (identity.session, None), (None, None)):
            pause = self._pauses.get(key)
            if pause is None or (pause.kind is Kind.LOOP and pause.agent != identity.agent):
                continue  # the main loop's name is also the session's: its loop is none of its sub-agents'
            if not pause.since <= at < pause.until or _is_answered(pause, call):
                del self._pauses[key]
                continue
            return pause
        return None

    def pauses(self, at: int) -> list[Pause]:
        """The pauses in force, oldest first."""
        return [pause for pause in self._pauses.values() if pause.since <= at < pause.until]

    def lift(self, session: str | None, at: int) -> int:
        """End the pauses of a session, or those of all calls; how many there were.

        Whoever lifts one has seen what it is about: for as long as a pause lasts none of it is begun anew.
        """
        keys = [key for key in self._pauses if key[0] == session]
        for key in keys:
            del self._pauses[key]
        if keys:
            self._spared[session] = at + self._rules.pause_for
            self._spared.move_to_end(session)
            while len(self._spared) > _PAUSES:
                self._spared.popitem(last=False)
        return len(keys)

    def _loop(self, step: Step) -> list[Verdict]:
        if self._rules.loops is None:
            return []
        whose = (step.session or f"? {step.key}", step.agent or "")
        loops = self._loops.get(whose)
        if loops is None:
            loops = self._loops[whose] = Loops(self._rules.loops)
        self._loops.move_to_end(whose)
        if len(self._loops) > _CONVERSATIONS:
            self._loops.popitem(last=False)
        return loops.take(step)

    def _fan(self, step: Step) -> list[Verdict]:
        if self._rules.fan_out is None or step.agent is None:
            return []
        whose = step.session or f"? {step.key}"
        fan = self._fans.get(whose)
        if fan is None:
            fan = self._fans[whose] = FanOut(self._rules.fan_out)
        self._fans.move_to_end(whose)
        if len(self._fans) > _SESSIONS:
            self._fans.popitem(last=False)
        return fan.take(step)

    def _taken(self, verdict: Verdict, step: Step) -> Verdict:
        """A verdict whose advice was taken, where it is to be; it then says so."""
        is_anybodys = verdict.kind is Kind.VELOCITY or verdict.session is not None  # else strangers would be paused
        if verdict.level is not Level.PAUSE or verdict.kind not in self._rules.may_pause or not is_anybodys:
            return verdict
        if verdict.at < self._spared.get(verdict.session, 0):
            return verdict
        what, until = _PAUSED[verdict.kind]
        made = replace(verdict, words=f"{verdict.words} {what} for {self._rules.pause_for // MINUTE} minutes{until}.")
        self._put(made, step.turn if verdict.kind is Kind.LOOP else None)
        return made

    def _put(self, verdict: Verdict, turn: str | None) -> None:
        key = (verdict.session, verdict.agent)
        self._pauses[key] = Pause(
            words=verdict.words,
            since=verdict.at,
            until=verdict.at + self._rules.pause_for,
            session=verdict.session,
            agent=verdict.agent,
            turn=turn,
            kind=verdict.kind,
        )
        self._pauses.move_to_end(key)
        if len(self._pauses) > _PAUSES:
            self._pauses.popitem(last=False)


_PAUSED = {
    Kind.LOOP: ("The conversation is paused", ", or until the next prompt is typed"),
    Kind.FAN_OUT: ("The session is paused", ""),
    Kind.VELOCITY: ("All calls are paused", ""),
}


def _is_answered(pause: Pause, call: Call) -> bool:
    """Whether the user has typed a prompt since."""
    turn = call.identity.turn
    return pause.turn is not None and turn is not None and turn != pause.turn
