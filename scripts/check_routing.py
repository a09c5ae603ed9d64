"""The bars of routing in replay: `scripts/check_routing.py DATA`.

DATA is a folder with `transcripts/` or `claude-code-*/`. Every call is replayed through the engine and the simulated
cache with the router in its modes; prints each bar with its figure and ends with 1 if any fails.

No transcript says how well a turn went. So what the router learns of quality is made up, by a fixed rule of chance from
`DONE_WELL`; escalations are replayed apart, with each turn that was not done well for a failure. It hears of a turn
only when that is over, and of costs only what its own world billed. The figures show what routing does to the bill,
cache included, and nothing of how well it chooses.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import ClassVar

from underspend.audit.replay.outcomes import Outcomes, Turn
from underspend.audit.replay.traffic import Traffic, traffic
from underspend.audit.whatif import BOUND_PERCENT, Group, Outcome, Replays, outcome
from underspend.core.call import Call, Role
from underspend.core.context import Context
from underspend.core.edits import Edit, SetModel
from underspend.core.engine import Step
from underspend.core.money import Money, show
from underspend.core.plan import Plan
from underspend.core.routing import is_in_tool_loop
from underspend.core.slots import Failure
from underspend.core.strategy import State, Strategy
from underspend.pricing.capabilities import default_tiers
from underspend.readers.claude_code import read_history
from underspend.routing.beliefs import Arm, Result
from underspend.routing.decisions import TIERS, Mode, Preference
from underspend.routing.knowledge import Knowledge
from underspend.routing.standing import Promise
from underspend.strategies.auto_model import AutoModel

AIM = 30
DONE_WELL = {"main": (0.80, 0.95, 0.96), "agents": (0.95, 0.97, 0.97)}
"""How often a model of each tier does a turn of the main loop, or of a sub-agent, well: made up."""

EPSILON, DELTA = AutoModel().epsilon_percent / 100, AutoModel().delta_percent / 100

NEWEST = default_tiers()
OF_THE_TIME = {"cheap": ("claude-haiku-4-5",), "standard": ("claude-sonnet-4-5",), "best": ("claude-opus-4-5",)}
EVERYONE = ("main", "subagent")

Row = tuple[str, bool, str]


@dataclass(slots=True)
class Learner:
    """Tells the router's knowledge of each turn that is over: how it went, and what others would have made of it.

    As if each turn had been run on every arm twice in the shadow: once to calibrate, once to teach. With `tells` a bad
    turn is a failure.
    """

    tiers: Mapping[str, tuple[str, ...]]
    tells: bool = False
    knowing: Knowledge = field(default_factory=lambda: Knowledge(Promise(epsilon=EPSILON, delta=DELTA)))

    def learn(self, turn: Turn) -> Failure | None:
        """One turn."""
        luck = chance_of(turn.name)
        done = self._quality(turn, turn.arm, luck)
        self.knowing.learn(Result(task=turn.task, arm=turn.arm, quality=done, cost=turn.cost, at=turn.ended))
        for arm in (Arm(model, turn.asked.effort) for tier in TIERS for model in self.tiers[tier]):
            if arm.model != turn.asked.model:
                self._show(turn, arm, chance_of(f"{turn.name} calibrates"), calibrates=True)
                self._show(turn, arm, chance_of(f"{turn.name} teaches"), calibrates=False)
        return Failure("the turn was not done well", at=turn.ended) if self.tells and not done else None

    def _show(self, turn: Turn, arm: Arm, luck: float, *, calibrates: bool) -> None:
        shown = Result(
            task=turn.task,
            arm=arm,
            quality=self._quality(turn, arm, luck),
            cost=0,
            at=turn.ended,
            randomised=calibrates,
            paired=self._quality(turn, turn.asked, luck),
            instead_of=turn.asked,
        )
        self.knowing.learn(shown)

    def _quality(self, turn: Turn, arm: Arm, luck: float) -> int:
        return int(luck < DONE_WELL["main" if turn.task == "main" else "agents"][self._level(arm)])

    def _level(self, arm: Arm) -> int:
        named = (at for at, tier in enumerate(TIERS) if arm.model in self.tiers[tier])
        family = (at for at, name in enumerate(("haiku", "sonnet", "opus")) if name in arm.model)
        return next(named, next(family, 2))


def chance_of(name: str) -> float:
    return int.from_bytes(blake2b(name.encode(), digest_size=6).digest(), "big") / 2**48


SAID = ((0, 2), (500, 1), (2_000, 1), (5_000, 1))
WHOLE = ((20_000, 2), (50_000, 1), (100_000, 2))
MESSAGES = ((20, 1), (50, 1))
COMPLEX = ((4, "best"), (2, "standard"), (0, "cheap"))
"""Points by what is exceeded, and the tier by points: RelayPlane 1.9.37, standalone-proxy.ts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerRequestFlipping(Strategy):
    """RelayPlane's complexity routing, as its code reads: each request by itself, by the text of its last message.

    Only text counts, so within a tool loop the score collapses. The words it looks for are not on record: a typed
    prompt is taken to hold two of them (code, analysis).
    """

    name: ClassVar[str] = "per_request_flipping"
    tiers: Mapping[str, tuple[str, ...]]

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:  # noqa: ARG002  # it looks at nothing but the request
        """A model for this request, whatever the last one had."""
        if not call.blocks:
            return
        last = call.blocks[-1].message
        text = [block for block in call.blocks if block.kind == "text" and block.message >= 0]
        said = 0 if is_in_tool_loop(call.blocks) else sum(each.tokens for each in text if each.message == last)
        whole = sum(each.tokens for each in text)
        scored = ((said, SAID), (whole, WHOLE), (last, MESSAGES))
        score = sum(points for value, steps in scored for above, points in steps if value > above)
        tier = next(tier for least, tier in COMPLEX if score >= least)
        yield SetModel(self.tiers[tier][0], why=f"complexity {score}")


@dataclass(slots=True, kw_only=True)
class Watched(Outcomes):
    """Counts slots that went elsewhere, changes within them, and those within a turn."""

    begun: Counter[int] = field(default_factory=Counter)
    changed: int = 0
    in_turn: int = 0
    escalated: Counter[str] = field(default_factory=Counter)
    _models: dict[int, tuple[str, str]] = field(default_factory=dict)

    def add(self, row: int, plan: Plan, cost: Money) -> None:
        """A call as it was sent."""
        asked, sent = plan.asked.model, plan.call.model
        before = self._models.get(row)
        if before is None or before[0] != asked:
            self.begun[row] += asked != sent
        elif before[1] != sent:
            self.changed += 1
            self.in_turn += is_in_tool_loop(plan.asked.blocks)
            is_up = any(each.edit.why.startswith("one tier up") for each in plan.decisions)
            self.escalated[plan.asked.identity.session or ""] += is_up
        self._models[row] = asked, sent
        Outcomes.add(self, row, plan, cost)


@dataclass(slots=True)
class Run:
    """One policy over one traffic."""

    name: str
    made: Outcome
    seen: Watched

    @property
    def worst(self) -> float:
        """The session that became dearest, by its share."""
        return max((-group.saved / max(group.recorded, 1) for group in self.made.sessions), default=0.0)

    @property
    def out(self) -> list[Group]:
        """Sessions beyond the bound."""
        return [group for group in self.made.sessions if group.is_out_of_bounds]

    def figure(self) -> str:
        """Everything in one line."""
        made, seen = self.made, self.seen
        share = made.saved.expected / max(made.recorded, 1)
        return (
            f"{show(made.replayed)} instead of {show(made.recorded)} ({share:+.1%} saved); worst session"
            f" {self.worst:+.2%}, {len(self.out)} beyond {BOUND_PERCENT} %; {sum(seen.begun.values())} slots begun"
            f" elsewhere, {seen.changed} changes within slots, {seen.in_turn} of them within a turn"
        )


def run(
    name: str, made: Traffic, strategy: Strategy, tiers: Mapping[str, tuple[str, ...]], *, tells: bool = False
) -> Run:
    seen: list[Watched] = []

    def fresh() -> Outcomes:
        learner = Learner(tiers, tells)
        seen.append(Watched(knowing=learner.knowing, learn=learner.learn))
        return seen[-1]

    replays = Replays(made, outcomes=fresh)
    result = outcome(replays, [Step(strategy, State.ON)], others=False)
    if result.faults:
        raise SystemExit(f"{name}: {result.faults}")
    return Run(name, result, seen[0])


def policies(tiers: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, AutoModel]]:
    """What is held to the bars: every mode that acts, everything opened to it."""
    for mode in (Mode.OBSERVE, Mode.CERTIFIED, Mode.AGGRESSIVE):
        for preference in Preference if mode is Mode.AGGRESSIVE else (Preference.BALANCED,):
            name = f"{mode.value}, {preference.value}"
            yield name, AutoModel(mode=mode, preference=preference, tiers=tiers, route_pinned=EVERYONE)


def rows(data: Path) -> Iterator[Row]:
    """Each bar: its name, whether it holds, its figure."""
    for folder in sorted(data.iterdir()):
        if folder.is_dir() and (folder.name == "transcripts" or folder.name.startswith("claude-code-")):
            made = traffic(read_history([folder], cache=None))
            yield f"{folder.name}: no routing", True, f"{show(made.recorded)} in {len(made.calls):,} calls"
            for which, tiers in (("newest models", NEWEST), ("models of the time", OF_THE_TIME)):
                yield from _of(f"{folder.name}, {which}", made, tiers)


def _of(where: str, made: Traffic, tiers: Mapping[str, tuple[str, ...]]) -> Iterator[Row]:
    best = 0
    for name, strategy in policies(tiers):
        done = run(name, made, strategy, tiers)
        held = done.made.saved.expected >= 0 and not done.out and not done.seen.in_turn
        is_bar = strategy.preference is not Preference.CHEAPEST
        yield f"{where}: {name}{'' if is_bar else ' (for information)'}", held or not is_bar, done.figure()
        best = max(best, done.made.saved.expected)
    yield _escalating(where, made, tiers)
    yield _agents(where, made, tiers)
    flips = run("flipping", made, PerRequestFlipping(tiers=tiers), tiers)
    loses = flips.made.saved.expected < best and bool(flips.out)
    yield f"{where}: per-request flipping (RelayPlane's rule) loses", loses, flips.figure()


def _escalating(where: str, made: Traffic, tiers: Mapping[str, tuple[str, ...]]) -> Row:
    """Failures too: what is beyond the bound must have been escalated, and is listed."""
    strategy = AutoModel(mode=Mode.AGGRESSIVE, tiers=tiers, route_pinned=EVERYONE)
    done = run("escalating", made, strategy, tiers, tells=True)
    up = done.seen.escalated
    held = done.made.saved.expected >= 0 and all(up[group.name] for group in done.out) and not done.seen.in_turn
    listed = ", ".join(f"{group.name[:8]} {show(-group.saved)} dearer" for group in done.out) or "none"
    figure = f"{done.figure()}; {sum(up.values())} escalations, sessions beyond the bound because of them: {listed}"
    return f"{where}: aggressive, balanced, with failures", held, figure


def _agents(where: str, made: Traffic, tiers: Mapping[str, tuple[str, ...]]) -> Row:
    """The aim of 30 % on traces with sub-agents: those sessions alone, only sub-agents routed and then everything."""
    calls = [asked.recorded for asked in made.calls]
    having = {each.step.line.session for each in calls if each.call.identity.role is Role.SUBAGENT}
    shares = []
    for opened, sees_all in ((("subagent",), False), (("subagent",), True), (EVERYONE, False)):
        strategy = AutoModel(mode=Mode.AGGRESSIVE, tiers=tiers, route_pinned=opened, sees_all=sees_all)
        groups = [each for each in run("agents", made, strategy, tiers).made.sessions if each.name in having]
        was, saved = sum(each.recorded for each in groups), sum(each.saved for each in groups)
        shares.append(saved / max(was, 1))
    reached = "" if shares[-1] * 100 >= AIM else ", not reached"
    figure = f"{shares[0]:.1%} by sub-agents alone ({shares[1]:.1%} where all traffic is seen)"
    figure += f", {shares[-1]:.1%} with the main loop (aim {AIM} %{reached})"
    return f"{where}: {len(having)} sessions with sub-agents (an aim)", True, figure


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    failed = 0
    for name, held, figure in rows(given.data):
        failed += not held
        print(f"{'ok  ' if held else 'FAIL'}  {name}: {figure}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
