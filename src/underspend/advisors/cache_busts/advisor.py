"""The findings of the cache-bust ledger, one per cause, and of the cache's lifetime."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import ClassVar

from underspend.advisors.cache_busts.causes import Cause
from underspend.advisors.cache_busts.ledger import LEGITIMATE, Line, Rewrite, lines
from underspend.advisors.cache_busts.lifetimes import longer, shorter
from underspend.advisors.cache_busts.words import OF
from underspend.advisors.reading import MINUTE, moment, netted
from underspend.core.advisor import Advisor, Confidence, Finding, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import History
from underspend.core.money import show

_SETTINGS = {
    False: ("ENABLE_PROMPT_CACHING_1H=1", "FORCE_PROMPT_CACHING_5M=1", "main sessions"),
    True: ("CLAUDE_CODE_SUBAGENT_PROMPT_CACHE_TTL=1h", "CLAUDE_CODE_SUBAGENT_PROMPT_CACHE_TTL=5m", "sub-agents"),
}
"""The client's variables for longer and shorter writes, by whether they are a sub-agent's."""

_ENOUGH_TO_JUDGE = 20
"""With fewer long writes than this there is no rhythm to judge by."""

_SAFE_CAUSES = frozenset({Cause.MODEL_SWITCH, Cause.EFFORT_CHANGE, Cause.SHORT_BREAK, Cause.LONG_BREAK})
"""Causes that follow from what is recorded of the two replies alone."""


class CacheBusts(Advisor):
    """What was written to the cache again, by cause; and whether another cache lifetime would have cost less."""

    __slots__ = ()
    name: ClassVar[str] = "cache-busts"

    def advise(self, history: History, around: Surroundings) -> Iterable[Finding]:
        """One finding per cause met; "cache-busts/shorter-lifetime" where five-minute writes would have cost less.

        The amount of a cause is what its rewrites cost above reading the same tokens. Compactions are for information
        only: their title and rows say what they cost, their amount is 0.
        """
        ledger = lines(history, around)
        grouped: dict[Cause, list[Rewrite]] = defaultdict(list)
        for line in ledger:
            for rewrite in line.rewrites.values():
                grouped[rewrite.reason.cause].append(rewrite)
        for cause in Cause:
            if grouped[cause]:
                yield _finding(cause, _dearest_first(grouped[cause]), ledger, around)
        yield from _shorter_lifetime(ledger, around)


def _finding(cause: Cause, rewrites: list[Rewrite], ledger: list[Line], around: Surroundings) -> Finding:
    words = OF[cause]
    cost = sum(rewrite.amount for rewrite in rewrites)
    tokens = sum(rewrite.tokens for rewrite in rewrites)
    urgency, fix = words.urgency, words.fix
    if cause is Cause.SHORT_BREAK:
        urgency, fix = _lifetime_advice(ledger, around)
    said = all(rewrite.reason.said for rewrite in rewrites)
    times = "once" if len(rewrites) == 1 else f"{len(rewrites)} times"
    return Finding(
        id=f"{CacheBusts.name}/{cause.value}",
        urgency=urgency,
        title=f"The cache was written again {times} {words.after}: {show(cost)} for {tokens:,} tokens",
        amount=0 if cause in LEGITIMATE else cost,
        confidence=Confidence.HIGH if said or cause in _SAFE_CAUSES else Confidence.MEDIUM,
        evidence=Evidence.BILLED,
        why=words.why,
        fix=fix,
        claims=() if cause in LEGITIMATE else tuple(claim for rewrite in rewrites for claim in rewrite.claims),
        rows=[_row(rewrite) for rewrite in rewrites],
    )


def _lifetime_advice(ledger: list[Line], around: Surroundings) -> tuple[Urgency, str]:
    """What a longer lifetime would have made of the short breaks, for main sessions and for sub-agents."""
    urgency, said = Urgency.HABIT, []
    for agents, (variable, _, whose) in _SETTINGS.items():
        found = longer(_of(ledger, agents=agents), around.rates)
        if not found.breaks:
            continue
        facts = (
            f"over the same calls one-hour writes would have cost {show(found.extra)} more and spared "
            f"{show(found.spared)}; they pay from {found.break_even} such breaks on, and you had {found.breaks}"
        )
        if found.gain > 0:
            urgency = Urgency.FIX_NOW
            said.append(f'In {whose} set {variable} ("env" in settings.json), net {show(found.gain)}: {facts}.')
        else:
            said.append(f"Keep the five-minute cache for {whose} and run /compact or /clear before a break: {facts}.")
    return urgency, " ".join(said)


def _shorter_lifetime(ledger: list[Line], around: Surroundings) -> Iterator[Finding]:
    for agents, (_, variable, whose) in _SETTINGS.items():
        found = shorter(_of(ledger, agents=agents), around.rates)
        if found.gain <= 0 or len(found.claims) < _ENOUGH_TO_JUDGE:
            continue
        yield Finding(
            id=f"{CacheBusts.name}/shorter-lifetime{'-agents' if agents else ''}",
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
            claims=tuple(netted(found.claims, found.gain)),
            rows=[
                {
                    "writes": len(found.claims),
                    "dearer by": show(found.spared),
                    "breaks bridged": found.breaks,
                    "their rewrites": show(found.extra),
                }
            ],
        )


def _of(ledger: list[Line], *, agents: bool) -> list[Line]:
    return [line for line in ledger if (line.timeline.agent is not None) is agents]


def _dearest_first(rewrites: list[Rewrite]) -> list[Rewrite]:
    return sorted(
        rewrites, key=lambda each: (-each.amount, -each.tokens, each.step.reply.at, each.step.reply.message_id)
    )


def _row(rewrite: Rewrite) -> dict[str, str | int]:
    return {
        "session": rewrite.timeline.session,
        "agent": rewrite.timeline.agent or "",
        "when": moment(rewrite.step.reply.at),
        "gap minutes": rewrite.gap // MINUTE,
        "ttl minutes": rewrite.ttl // MINUTE,
        "tokens rewritten": rewrite.tokens,
        "tokens kept": rewrite.kept,
        "cost": show(rewrite.amount),
        "detail": rewrite.reason.detail,
        "provider said": rewrite.reason.said,
        "message": rewrite.step.reply.message_id,
    }
