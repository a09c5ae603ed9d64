"""The findings of the cache-bust ledger, one per cause, and of the cache's lifetime."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

import msgspec

from underspend.advisors.cache_busts.causes import Cause
from underspend.advisors.cache_busts.ledger import LEGITIMATE, Rewrite, lines
from underspend.advisors.cache_busts.lifetimes import Longer, Shorter, longer, shorter
from underspend.advisors.cache_busts.words import OF
from underspend.advisors.reading import MINUTE, Rows, first, moment
from underspend.core.advisor import Advisor, Claimed, Confidence, Finding, Seen, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import History
from underspend.core.money import Money, show

_SETTINGS = {
    False: ("ENABLE_PROMPT_CACHING_1H=1", "FORCE_PROMPT_CACHING_5M=1", "main sessions"),
    True: ("CLAUDE_CODE_SUBAGENT_PROMPT_CACHE_TTL=1h", "CLAUDE_CODE_SUBAGENT_PROMPT_CACHE_TTL=5m", "sub-agents"),
}
"""The client's variables for longer and shorter writes, by whether they are a sub-agent's."""

_ENOUGH_TO_JUDGE = 20
"""With fewer long writes than this there is no rhythm to judge by."""

_SAFE_CAUSES = frozenset({Cause.MODEL_SWITCH, Cause.EFFORT_CHANGE, Cause.SHORT_BREAK, Cause.LONG_BREAK})
"""Causes that follow from what is recorded of the two replies alone."""


class Again(msgspec.Struct, array_like=True, gc=False):
    """A rewrite as evidence."""

    cause: str
    session: str
    agent: str
    at: int
    message: str
    gap: int
    ttl: int
    tokens: int
    kept: int
    cost: Money
    detail: str
    said: str

    def order(self) -> tuple[object, ...]:
        """The dearest first."""
        return -self.cost, -self.tokens, self.at, self.message


class BustFacts(msgspec.Struct, array_like=True, gc=False):
    """All rewrites, and the replays of the other lifetimes: first of main sessions, then of sub-agents."""

    rewrites: list[Again]
    longer: tuple[Longer, Longer]
    shorter: tuple[Shorter, Shorter]


class CacheBusts(Advisor[BustFacts]):
    """What was written to the cache again, by cause; and whether another cache lifetime would have cost less."""

    __slots__ = ()
    name: ClassVar[str] = "cache-busts"
    facts: ClassVar[type] = BustFacts

    def look(self, history: History, around: Surroundings) -> Seen | None:
        """The ledger of the rewrites, and what other lifetimes would have made of them."""
        ledger = lines(history, around)
        parts = [[line for line in ledger if (line.timeline.agent is not None) is agents] for agents in _SETTINGS]
        claims: dict[str, list[Claimed]] = defaultdict(list)
        rewrites = []
        for line in ledger:
            for rewrite in line.rewrites.values():
                rewrites.append(_kept(rewrite))
                if rewrite.reason.cause not in LEGITIMATE:
                    claims[f"{self.name}/{rewrite.reason.cause.value}"] += rewrite.claims
        short = []
        for agents, part in zip(_SETTINGS, parts, strict=True):
            found, own = shorter(part, around.rates)
            claims[_shorter_id(agents=agents)] += own
            short.append(found)
        long = [longer(part, around.rates) for part in parts]
        return Seen(BustFacts(rewrites, (long[0], long[1]), (short[0], short[1])), claims) if ledger else None

    def sum_up(self, facts: Sequence[BustFacts], around: Surroundings) -> Iterable[Finding]:
        """One finding per cause met; "cache-busts/shorter-lifetime" where five-minute writes would have cost less.

        The amount of a cause is what its rewrites cost above reading the same tokens. Compactions are for information
        only: their title and rows say what they cost, their amount is 0.
        """
        del around
        grouped: dict[str, list[Again]] = defaultdict(list)
        for each in facts:
            for rewrite in each.rewrites:
                grouped[rewrite.cause].append(rewrite)
        for cause in Cause:
            if grouped[cause.value]:
                yield _finding(cause, first([grouped[cause.value]], Again.order), facts)
        yield from _shorter_lifetime(facts)


def _kept(rewrite: Rewrite) -> Again:
    return Again(
        cause=rewrite.reason.cause.value,
        session=rewrite.timeline.session,
        agent=rewrite.timeline.agent or "",
        at=rewrite.step.reply.at,
        message=rewrite.step.reply.message_id,
        gap=rewrite.gap,
        ttl=rewrite.ttl,
        tokens=rewrite.tokens,
        kept=rewrite.kept,
        cost=rewrite.amount,
        detail=rewrite.reason.detail,
        said=rewrite.reason.said,
    )


def _shorter_id(*, agents: bool) -> str:
    return f"{CacheBusts.name}/shorter-lifetime{'-agents' if agents else ''}"


def _finding(cause: Cause, rewrites: Sequence[Again], facts: Sequence[BustFacts]) -> Finding:
    words, identity = OF[cause], f"{CacheBusts.name}/{cause.value}"
    cost = sum(rewrite.cost for rewrite in rewrites)
    tokens = sum(rewrite.tokens for rewrite in rewrites)
    urgency, fix = words.urgency, words.fix
    if cause is Cause.SHORT_BREAK:
        urgency, fix = _lifetime_advice(facts)
    said = all(rewrite.said for rewrite in rewrites)
    times = "once" if len(rewrites) == 1 else f"{len(rewrites)} times"
    return Finding(
        id=identity,
        urgency=urgency,
        title=f"The cache was written again {times} {words.after}: {show(cost)} for {tokens:,} tokens",
        amount=0 if cause in LEGITIMATE else cost,
        confidence=Confidence.HIGH if said or cause in _SAFE_CAUSES else Confidence.MEDIUM,
        evidence=Evidence.BILLED,
        why=words.why,
        fix=fix,
        claimed=() if cause in LEGITIMATE else (identity,),
        rows=Rows(len(rewrites), lambda: [_row(rewrite) for rewrite in rewrites]),
    )


def _lifetime_advice(facts: Sequence[BustFacts]) -> tuple[Urgency, str]:
    """What a longer lifetime would have made of the short breaks, for main sessions and for sub-agents."""
    urgency, said = Urgency.HABIT, []
    for agents, (variable, _, whose) in _SETTINGS.items():
        found = Longer.added(each.longer[agents] for each in facts)
        if not found.breaks:
            continue
        told = (
            f"over the same calls one-hour writes would have cost {show(found.extra)} more and spared "
            f"{show(found.spared)}; they pay from {found.break_even} such breaks on, and you had {found.breaks}"
        )
        if found.gain > 0:
            urgency = Urgency.FIX_NOW
            said.append(f'In {whose} set {variable} ("env" in settings.json), net {show(found.gain)}: {told}.')
        else:
            said.append(f"Keep the five-minute cache for {whose} and run /compact or /clear before a break: {told}.")
    return urgency, " ".join(said)


def _shorter_lifetime(facts: Sequence[BustFacts]) -> Iterator[Finding]:
    for agents, (_, variable, whose) in _SETTINGS.items():
        found = Shorter.added(each.shorter[agents] for each in facts)
        if found.gain <= 0 or found.writes < _ENOUGH_TO_JUDGE:
            continue
        yield Finding(
            id=_shorter_id(agents=agents),
            urgency=Urgency.FIX_NOW,
            title=f"One-hour cache writes did not pay in {whose}: {show(found.gain)} more than five-minute ones",
            amount=found.gain,
            confidence=Confidence.MEDIUM,
            evidence=Evidence.SIMULATED,
            why=(
                f"Writes for an hour cost more than writes for five minutes: {show(found.spared)} more here. Only "
                f"{found.breaks} breaks were long enough to need the hour; rewriting after each of them would have "
                f"cost {show(found.extra)}."
            ),
            fix=f'Set {variable} ("env" in settings.json).',
            claimed=(_shorter_id(agents=agents),),
            rows=[
                {
                    "writes": found.writes,
                    "dearer by": show(found.spared),
                    "breaks bridged": found.breaks,
                    "their rewrites": show(found.extra),
                }
            ],
        )


def _row(rewrite: Again) -> dict[str, str | int]:
    return {
        "session": rewrite.session,
        "agent": rewrite.agent,
        "when": moment(rewrite.at),
        "gap minutes": rewrite.gap // MINUTE,
        "ttl minutes": rewrite.ttl // MINUTE,
        "tokens rewritten": rewrite.tokens,
        "tokens kept": rewrite.kept,
        "cost": show(rewrite.cost),
        "detail": rewrite.detail,
        "provider said": rewrite.said,
        "message": rewrite.message,
    }
