"""The transcripts against the client's own totals: what the client counted that no transcript holds, in dollars.

Claude Code writes a running total (`cost-state`) into a session. It covers calls that leave no line: compactions,
titles, classifiers. Replies cut before their end are in neither, though the provider bills them: they are found by
what the retry reads from the cache beyond the prompt before it, which only the cut call can have written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import msgspec

from underspend.audit.bills import Billed
from underspend.audit.days import HOUR
from underspend.core.advisor import RateSource
from underspend.core.history import Answered, ClientTotal, History, Mark, MarkKind, Timeline
from underspend.core.money import Money, from_usd
from underspend.core.usage import Lane
from underspend.pricing.catalogue import Catalogue, catalogue
from underspend.pricing.cost import cost

COMPACTION, AUXILIARY, ASKED_MODEL, CUT, EARLIER = (
    "compaction calls",
    "auxiliary calls",
    "priced by the model asked for",
    "replies cut before their end",
    "inherited from the session it was forked from",
)
_ANEW = frozenset({MarkKind.COMPACTION, MarkKind.CLEAR})
LATER, PRICES = "answered after the client's last total", "prices and rounding"

_FIELDS = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cache_read_tokens": "cacheReadInputTokens",
    "cache_write_tokens": "cacheCreationInputTokens",
}


class Cause(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One named part of the difference. `amount` may be negative; `calls` is 0 where they cannot be counted.

    `beyond` is what the client's total lacks too: it is no part of the difference. `at_most` bounds an estimate.
    """

    what: str
    amount: Money
    calls: int = 0
    beyond: bool = False
    at_most: Money = 0
    tokens: dict[str, int] = msgspec.field(default_factory=dict)


class Reconciled(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A session with a total of the client's own: `client` − `transcripts` is the sum of the causes not `beyond`."""

    session: str
    client: Money
    transcripts: Money
    causes: tuple[Cause, ...]


class Told(msgspec.Struct, array_like=True, gc=False):
    """What the client's own totals say in a part of the sessions.

    `sessions` are reconciled but for what they may have inherited from `totals`, which are all that the client wrote,
    by session.
    """

    sessions: list[Reconciled]
    totals: list[tuple[str, Money]]


def told(history: History, billed: Sequence[Billed], rates: RateSource, prices: Catalogue | None = None) -> Told:
    """Every session of a part of a history with a client total, by the last total of each."""
    last = {each.session: each for each in history.totals}
    ours: dict[str, list[Billed]] = defaultdict(list)
    for each in billed:
        if each.line.session in last:
            ours[each.line.session].append(each)
    marks = _compactions(history.timelines) if last else {}
    lines: dict[str, list[Timeline]] = defaultdict(list)
    for line in history.timelines:
        lines[line.session].append(line)
    found = []
    for session, client in last.items():
        dollars = _dollars(client.usd)
        if dollars is not None:
            cuts = cut_replies(lines[session], rates)
            case = _Case(client, dollars, ours[session], marks.get(session, 0))
            found.append(_session(case, cuts, prices or catalogue()))
    totals = {(each.session, amount) for each in history.totals if (amount := _dollars(each.usd)) is not None}
    return Told(found, sorted(totals))


def reconciled(parts: Sequence[Told]) -> list[Reconciled]:
    """Every session with a client total, from all parts, the largest difference first."""
    others: dict[Money, set[str]] = defaultdict(set)
    for session, amount in (total for part in parts for total in part.totals):
        others[amount].add(session)
    found = [_with_inherited(each, others) for part in parts for each in part.sessions]
    return sorted(found, key=lambda each: (-abs(each.client - each.transcripts), each.session))


def _with_inherited(found: Reconciled, others: Mapping[Money, AbstractSet[str]]) -> Reconciled:
    """What is left unexplained is inherited where it is just another session's total."""
    causes = tuple(
        Cause(what=EARLIER, amount=cause.amount, tokens=cause.tokens)
        if cause.what in {COMPACTION, AUXILIARY} and others.get(cause.amount, set()) - {found.session}
        else cause
        for cause in found.causes
    )
    return Reconciled(session=found.session, client=found.client, transcripts=found.transcripts, causes=causes)


@dataclass(frozen=True, slots=True)
class _Case:
    """A session's last total, its replies, its compactions."""

    told: ClientTotal
    dollars: Money
    ours: Sequence[Billed]
    compactions: int


def _session(case: _Case, cut: Cause | None, prices: Catalogue) -> Reconciled:
    transcripts = sum(each.bill.total for each in case.ours)
    covered = [each for each in case.ours if not case.told.covers or each.reply.at <= case.told.covers]
    later = transcripts - sum(each.bill.total for each in covered)
    asked = _as_asked(covered, prices)
    left = case.dollars - transcripts + later - asked
    causes = [Cause(what=LATER, amount=-later, calls=len(case.ours) - len(covered))] if later else []
    if asked:
        causes.append(Cause(what=ASKED_MODEL, amount=asked, calls=sum(map(_other_model, covered))))
    causes += _unwritten(case, covered, left)
    if cut:
        causes.append(cut)
    return Reconciled(session=case.told.session, client=case.dollars, transcripts=transcripts, causes=tuple(causes))


def _unwritten(case: _Case, covered: Sequence[Billed], left: Money) -> list[Cause]:
    """What is left: calls that leave no line (or a total the session was forked with), or rounding."""
    rest = _rest(case.told, covered)
    if not left:
        return []
    if abs(left) <= len(covered) + 1 or not any(count > 0 for count in rest.values()):
        return [Cause(what=PRICES, amount=left)]
    return [Cause(what=COMPACTION if case.compactions else AUXILIARY, amount=left, calls=case.compactions, tokens=rest)]


def _dollars(usd: str) -> Money | None:
    """The client's float, to the pico-dollar; None for anything that is no amount."""
    try:
        return from_usd(Decimal(usd).quantize(Decimal(1).scaleb(-12)))
    except (InvalidOperation, ValueError):
        return None


def _other_model(each: Billed) -> bool:
    asked = each.reply.asked_model
    return asked is not None and asked != each.reply.metered.model


def _as_asked(ours: Iterable[Billed], prices: Catalogue) -> Money:
    """What replies of another model than the one asked for would add at the asked model's prices."""
    found = 0
    for each in ours:
        if _other_model(each):
            bill = cost(each.reply.metered, at=each.reply.at, catalogue=prices, model=each.reply.asked_model)
            found += bill.total - each.bill.total if bill.priced else 0
    return found


def _rest(told: ClientTotal, ours: Iterable[Billed]) -> dict[str, int]:
    """Tokens the client counted that no transcript holds."""
    rest = {name: sum(by.get(key, 0) for by in told.by_model.values()) for name, key in _FIELDS.items()}
    for each in ours:
        usage = each.usage
        rest["input_tokens"] -= usage.input
        rest["output_tokens"] -= usage.output
        rest["cache_read_tokens"] -= usage.cache_read
        rest["cache_write_tokens"] -= usage.cache_write_5m + usage.cache_write_1h
    return rest


def _compactions(lines: Iterable[Timeline]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for line in lines:
        for event in line.events:
            if type(event) is Mark and event.kind is MarkKind.COMPACTION:
                found[line.session] += 1
    return found


def cut_replies(lines: Iterable[Timeline], rates: RateSource) -> Cause | None:
    """Replies cut before their end: their prompt as read and written, and at most as much output as their retry's.

    The prompt is what the retry shows was in the cache already; the output is unknown and only in `at_most`.
    """
    calls, amount, at_most = 0, 0, 0
    tokens = {"cache_read_tokens": 0, "cache_write_tokens": 0}
    for line in lines:
        for before, retry in _retries(line):
            model, at = retry.metered.model or "", retry.at
            read, written = before, retry.metered.reported.cache_read - before
            lane = Lane.CACHE_WRITE_1H if rates.ttl_micros(retry) >= HOUR else Lane.CACHE_WRITE_5M
            each = [rates.rate(model, kind, at, read + written) for kind in (Lane.CACHE_READ, lane, Lane.OUTPUT)]
            if None in each:
                continue
            reading, writing, output = (rate or 0 for rate in each)
            prompt = read * reading + written * writing
            calls, amount = calls + 1, amount + prompt
            at_most += prompt + retry.metered.reported.output * output
            tokens["cache_read_tokens"] += read
            tokens["cache_write_tokens"] += written
    return Cause(what=CUT, amount=amount, calls=calls, beyond=True, at_most=at_most, tokens=tokens) if calls else None


def all_cut(parts: Iterable[Cause | None]) -> Cause | None:
    """The cut replies of all parts."""
    found = [part for part in parts if part is not None]
    if not found:
        return None
    tokens: dict[str, int] = defaultdict(int)
    for name, count in (pair for each in found for pair in each.tokens.items()):
        tokens[name] += count
    return Cause(
        what=CUT,
        amount=sum(each.amount for each in found),
        calls=sum(each.calls for each in found),
        beyond=True,
        at_most=sum(each.at_most for each in found),
        tokens=dict(tokens),
    )


def _retries(line: Timeline) -> Iterable[tuple[int, Answered]]:
    """Replies that read more than the prompt before them held and wrote nothing, and that prompt's tokens."""
    before: Answered | None = None
    held = 0
    for event in line.events:
        if type(event) is Answered:
            usage = event.metered.reported
            wrote = usage.cache_write_5m + usage.cache_write_1h
            if 0 < held < usage.cache_read and not wrote and before and before.metered.model == event.metered.model:
                yield held, event
            before, held = event, usage.input + wrote + usage.cache_read
        elif type(event) is Mark and event.kind in _ANEW:
            before, held = None, 0
