"""Small histories with round prices, and what holds of every advisor's findings."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from underspend.core.advisor import Advisor, Finding, RateSource, Surroundings
from underspend.core.history import Answered, Event, History, Mark, MarkKind, Place, Result, Timeline, ToolUse, Typed
from underspend.core.reply import Bill, Line
from underspend.core.usage import Lane, Metered, Unit, Usage

MINUTE = 60_000_000
PRICES = {
    Lane.INPUT: 100,
    Lane.CACHE_WRITE_5M: 125,
    Lane.CACHE_WRITE_1H: 200,
    Lane.CACHE_READ: 10,
    Lane.OUTPUT: 500,
}
"""Pico-dollars per token of every model but "unpriced"."""

HERE = Place(file="a.jsonl", line=1)


class FlatRates(RateSource):
    """The same price for every model; what was written for an hour lives for an hour, all else five minutes."""

    def rate(self, model: str, lane: Lane, at: int, prompt_tokens: int) -> int | None:
        return None if model == "unpriced" else PRICES[lane]

    def ttl_micros(self, reply: Answered) -> int:
        return 60 * MINUTE if reply.metered.reported.cache_write_1h else 5 * MINUTE


def reply(message: str, at: int, *, read: int = 0, w5: int = 0, w1: int = 0, fresh: int = 0, out: int = 0, **more: Any):
    usage = Usage(fresh, w5, w1, read, out)
    model = more.pop("model", "m")
    metered = Metered(provider="anthropic", model=model, units=(Unit("message", usage),), reported=usage)
    return Answered(message_id=message, at=at, place=HERE, metered=metered, **more)


def use(use_id: str, name: str = "Bash", target: str = "", **more: Any) -> ToolUse:
    return ToolUse(id=use_id, name=name, target=target, **more)


def result(use_id: str, size: int = 0, at: int = 0, **more: Any) -> Result:
    return Result(at=at, place=HERE, use_id=use_id, size=size, **more)


def typed(at: int = 0, size: int = 0, **more: Any) -> Typed:
    return Typed(at=at, place=HERE, turn=None, size=size, **more)


def mark(kind: MarkKind, at: int = 0, **more: Any) -> Mark:
    return Mark(at=at, place=HERE, kind=kind, **more)


def line(*events: Event, session: str = "s", agent: str | None = None) -> Timeline:
    return Timeline(session=session, project="p", agent=agent, events=list(events))


def history(*lines: Timeline) -> History:
    return History(timelines=list(lines))


def bill(answered: Answered) -> Bill:
    if answered.metered.model == "unpriced":
        return Bill(unpriced=("unpriced",))
    lines = [
        Line(unit=0, kind="message", model="m", lane=lane, tokens=tokens, rate=rate, amount=tokens * rate)
        for lane, rate in PRICES.items()
        if (tokens := answered.metered.units[0].usage.lane(lane))
    ]
    return Bill(lines=tuple(lines), total=sum(each.amount for each in lines))


def around(told: History) -> Surroundings:
    bills = {answered.message_id: bill(answered) for _, answered in told.replies()}
    return Surroundings(now=0, bills=bills, rates=FlatRates())


def advise(advisor: Advisor, *lines: Timeline) -> dict[str, Finding]:
    told = history(*lines)
    return {finding.id: finding for finding in advisor.advise(told, around(told))}


def assert_sound(advisor: Advisor, told: History, seed: int) -> None:
    """What must hold of any advisor on any history."""
    surroundings = around(told)
    found = list(advisor.advise(told, surroundings))
    assert len({finding.id for finding in found}) == len(found)
    for finding in found:
        assert finding.id.startswith(f"{advisor.name}/")
        assert finding.amount == sum(claim.amount for claim in finding.claims)
        claimed: Counter[tuple[str, Lane]] = Counter()
        for claim in finding.claims:
            assert claim.amount > 0
            claimed[claim.message_id, claim.lane] += claim.amount
        for (message, lane), amount in claimed.items():
            assert amount <= surroundings.bills[message].lane(lane)
        assert all(type(value) in {str, int} for row in finding.rows for value in row.values())
    shuffled = list(told.timelines)
    random.Random(seed).shuffle(shuffled)
    again = advisor.advise(replace(told, timelines=shuffled), surroundings)
    assert sorted(map(_in_order, found), key=str) == sorted(map(_in_order, again), key=str)
    assert list(advisor.advise(History(), around(History()))) == []


def _in_order(finding: Finding) -> Finding:
    return replace(
        finding, claims=sorted(finding.claims, key=lambda claim: (claim.message_id, claim.lane, claim.amount))
    )


_TOKENS = st.sampled_from([0, 0, 3, 900, 5_000, 40_000, 120_000])
_GAPS = st.sampled_from([0, 1_000, 20_000_000, 4 * MINUTE, 9 * MINUTE, 70 * MINUTE])
_TOOLS = st.sampled_from([("Read", "/a"), ("Read", "/b"), ("Edit", "/a"), ("Bash", "ls"), ("mcp__x__y", "")])
_KINDS = st.sampled_from([*MarkKind, MarkKind.API_ERROR, MarkKind.COMPACTION])


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Any history: from none to three timelines, plausible or not."""
    lines = []
    for number in range(draw(st.integers(0, 3))):
        events: list[Event] = []
        at = draw(st.integers(0, 10)) * MINUTE
        for turn in range(draw(st.integers(0, 9))):
            at += draw(_GAPS)
            events += _before(draw, events, at)
            events.append(_any_reply(draw, f"{number}-{turn}", at))
        agent = draw(st.sampled_from([None, None, "agent"]))
        lines.append(line(*events, session=f"s{number}", agent=agent))
    return history(*lines)


def _before(draw: st.DrawFn, events: list[Event], at: int) -> list[Event]:
    made: list[Event] = []
    last = events[-1] if events else None
    if isinstance(last, Answered):
        for each in last.tools:
            size = draw(st.sampled_from([0, 700, 7_000, 70_000, 400_000]))
            digest = draw(st.sampled_from([b"", b"x", b"x"]))
            made.append(result(each.id, size, at, digest=digest, is_error=draw(st.booleans()), images=draw(_FEW)))
    if draw(st.booleans()):
        made.append(mark(draw(_KINDS), at, tokens_before=draw(_TOKENS), tokens_after=draw(_TOKENS)))
    if draw(st.booleans()):
        made.append(typed(at, draw(st.sampled_from([0, 300, 30_000])), by_person=draw(st.booleans())))
    return made


_FEW = st.sampled_from([0, 0, 0, 1])


def _any_reply(draw: st.DrawFn, name: str, at: int) -> Answered:
    kinds = draw(st.lists(_TOOLS, max_size=3))
    return reply(
        f"msg-{name}",
        at,
        read=draw(_TOKENS),
        w5=draw(_TOKENS),
        w1=draw(_TOKENS),
        fresh=draw(_TOKENS),
        out=draw(st.sampled_from([0, 10, 2_000])),
        model=draw(st.sampled_from(["m", "m", "m", "n", "unpriced"])),
        effort=draw(st.sampled_from([None, "low", "high"])),
        version=draw(st.sampled_from([None, "2.1.1", "2.1.2"])),
        finalised=draw(st.booleans()),
        nested=draw(st.sampled_from([False, False, False, True])),
        miss_reason=draw(st.sampled_from([None, None, "tools_changed", "messages_changed", "unavailable"])),
        text_chars=draw(st.sampled_from([0, 500])),
        tools=tuple(use(f"use-{name}-{index}", *kind) for index, kind in enumerate(kinds)),
    )
