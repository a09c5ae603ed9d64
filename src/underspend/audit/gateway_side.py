"""The gateway's ledger against the transcripts: which replies both hold, which only one, and the dollars of each.

A reply is known by its message id, else by its request id, and is one reply whichever side holds it. What only the
gateway saw was billed too, and is in no total of the transcripts: the client writes no line for compactions, titles and
checks, nor for replies that were cut and asked again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from underspend.audit.choice import Choice
from underspend.audit.days import HOUR, MINUTE
from underspend.audit.numbered import Numbered, number_of
from underspend.core.call import Role
from underspend.core.evidence import Evidence
from underspend.core.money import Money
from underspend.core.reply import Outcome

COMPACTION, CUT, AUXILIARY = "compaction calls", "replies cut before their end", "auxiliary calls (titles, checks)"
BEFORE, PAST = "before the gateway's first call", "past the gateway"
ELSEWHERE, OTHER = "calls of sessions without a transcript here", "other replies"

_MARGIN = 10 * MINUTE
_CUT = frozenset({Outcome.CUT.value, Outcome.ABORTED.value, Outcome.INTERRUPTED.value})


class Seen(NamedTuple):
    """A call as the gateway's ledger has it; `directory` is its session's, `project` its own or its session's."""

    message_id: str | None
    request_id: str | None
    started_at: int
    ended_at: int | None
    cost: Money
    role: str | None
    outcome: str | None
    session: str | None
    project: str | None
    directory: str | None
    model: str | None
    evidence: str | None


class Only(msgspec.Struct, frozen=True, kw_only=True):
    """What only one side holds: `estimated` is the part of `cost` whose end the gateway did not see."""

    what: str
    calls: int
    cost: Money
    estimated: Money = 0


class BothSides(msgspec.Struct, frozen=True, kw_only=True):
    """The two sides of a period. `since` is the gateway's first call in it, in µs.

    `both` replies cost `transcripts` by the one side and `gateway` by the other. `before` are the replies of
    transcripts from before `since`, `past` those from then on that did not go through the gateway.
    """

    since: int
    both: int
    transcripts: Money
    gateway: Money
    before: Only
    past: Only
    only_gateway: tuple[Only, ...]


class Row(NamedTuple):
    """One line of the comparison as it is shown; None where a side holds nothing of it."""

    where: str
    calls: int
    transcripts: Money | None
    gateway: Money | None


def rows_of_both_sides(sides: BothSides) -> list[Row]:
    """The lines of a comparison: what both hold, then what only transcripts, then what only the gateway."""
    rows = [Row("in both", sides.both, sides.transcripts, sides.gateway)]
    rows += [
        Row(f"only in transcripts: {each.what}", each.calls, each.cost, None)
        for each in (sides.past, sides.before)
        if each.calls
    ]
    for each in sides.only_gateway:
        said = " (estimated)" if each.estimated else ""
        rows.append(Row(f"only in the gateway: {each.what}{said}", each.calls, None, each.cost))
    return rows


def period_of(choice: Choice, first_at: int, now: int) -> tuple[int, int]:
    """From when until when (µs) calls of the gateway are asked for.

    The gateway knows when a call was sent, a transcript when its reply began: what was sent an hour before the period
    may be a reply in it.
    """
    until = now if choice.until is None else choice.until
    return (first_at if choice.since is None else choice.since) - HOUR, max(until, 0)


def both_sides(
    seen: Iterable[Seen], replies: Iterable[Numbered], choice: Choice, *, first_at: int, sessions: Collection[str]
) -> BothSides | None:
    """The comparison; None where the gateway's ledger has no call in the period.

    `replies` are those of the transcripts that were chosen, `first_at` the time of their first, `sessions` the ids of
    their sessions.
    """
    since = (first_at - _MARGIN) if choice.since is None else choice.since
    calls = _each_once(each for each in seen if _is_chosen(each, choice))
    known = _Known(replies)
    # A call that was under way when the period ended may be a reply that is not in it.
    ends = choice.until
    others = [call for call in calls if not known.take(call)]
    alone = [call for call in others if call.started_at >= since and (ends is None or call.ended_at < ends)]
    pairs, left = known.taken.values(), known.left()
    begun = min((call.started_at for call in [*alone, *(call for call, _ in pairs)]), default=None)
    if begun is None:
        return None
    return BothSides(
        since=begun,
        both=len(pairs),
        transcripts=sum(reply.cost for _, reply in pairs),
        gateway=sum(call.cost for call, _ in pairs),
        before=_only(BEFORE, [each for each in left if each.at < begun]),
        past=_only(PAST, [each for each in left if each.at >= begun]),
        only_gateway=tuple(_by_kind(alone, sessions)),
    )


class _Call(NamedTuple):
    """One reply as the gateway saw it: its rows together, where it has several."""

    message: int
    request: int
    started_at: int
    ended_at: int
    cost: Money
    estimated: Money
    kind: str
    session: str | None


def _each_once(seen: Iterable[Seen]) -> list[_Call]:
    """The gateway's replies, each message once; calls without a reply and without a price are none."""
    rows: dict[object, list[Seen]] = defaultdict(list)
    for number, each in enumerate(seen):
        if each.message_id or each.cost:
            rows[each.message_id or number].append(each)
    return [_call(found) for found in rows.values()]


def _call(rows: Sequence[Seen]) -> _Call:
    first = min(rows, key=lambda each: each.started_at)
    fullest = max(rows, key=lambda each: each.cost)
    estimated = sum(each.cost for each in rows if each.evidence == Evidence.ESTIMATED.value)
    return _Call(
        message=number_of(fullest.message_id),
        request=number_of(fullest.request_id),
        started_at=first.started_at,
        ended_at=max(each.ended_at or each.started_at for each in rows),
        cost=sum(each.cost for each in rows),
        estimated=estimated,
        kind=_kind(fullest),
        session=fullest.session,
    )


def _kind(each: Seen) -> str:
    if each.role == Role.COMPACTION.value:
        return COMPACTION
    if each.outcome in _CUT:
        return CUT
    return AUXILIARY if each.role in {Role.SIDE.value, Role.SUMMARY.value} else OTHER


class _Known:
    """The transcripts' replies by the numbers of their ids, each of which one call of the gateway can be."""

    def __init__(self, replies: Iterable[Numbered]) -> None:
        self._by_message: dict[int, Numbered] = {}
        self._by_request: dict[int, list[Numbered]] = defaultdict(list)
        for each in replies:
            self._by_message[each.message] = each
            if each.request:
                self._by_request[each.request].append(each)
        self.taken: dict[int, tuple[_Call, Numbered]] = {}

    def take(self, call: _Call) -> bool:
        """Whether a call is one of the replies; it is no other call's from then on."""
        found = self._by_message.get(call.message) if call.message else None
        if found is None and call.request:
            asked = self._by_request.get(call.request, ())
            found = next((each for each in asked if each.message not in self.taken), None)
        if found is None or found.message in self.taken:
            return False
        self.taken[found.message] = call, found
        return True

    def left(self) -> list[Numbered]:
        return [each for name, each in self._by_message.items() if name not in self.taken]


def _only(what: str, replies: Sequence[Numbered]) -> Only:
    return Only(what=what, calls=len(replies), cost=sum(each.cost for each in replies))


def _by_kind(calls: Iterable[_Call], sessions: Collection[str]) -> Iterator[Only]:
    found: dict[str, list[_Call]] = defaultdict(list)
    for call in calls:
        elsewhere = call.kind == OTHER and call.session not in sessions
        found[ELSEWHERE if elsewhere else call.kind].append(call)
    made = [
        Only(
            what=kind,
            calls=len(each),
            cost=sum(call.cost for call in each),
            estimated=sum(call.estimated for call in each),
        )
        for kind, each in found.items()
    ]
    yield from sorted(made, key=lambda each: (-each.cost, each.what))


def _is_chosen(each: Seen, choice: Choice) -> bool:
    if choice.until is not None and each.started_at >= choice.until:
        return False
    if choice.project is not None and choice.project not in {each.project, each.directory}:
        return False
    if choice.model not in {None, each.model}:
        return False
    return choice.session is None or (each.session or "").startswith(choice.session)
