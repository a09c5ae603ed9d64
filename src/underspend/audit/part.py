"""What an audit makes of one part of a history: small enough to be kept, and all that the whole needs.

A part is a number of sessions that share no reply with the sessions outside of it. However a history is cut into such
parts, `whole.summed` makes the same audit of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from operator import add
from typing import Any

import msgspec

from underspend.audit import activity, categories, trend
from underspend.audit.bills import Billed, by_message, price
from underspend.audit.choice import Choice
from underspend.audit.days import Days
from underspend.audit.findings import Claims, claimed
from underspend.audit.groups import Cells, by_kind, cells
from underspend.audit.numbered import packed
from underspend.audit.questions import Asked, asked
from underspend.audit.rates import CatalogueRates
from underspend.audit.reconcile import Cause, Told, cut_replies, told
from underspend.audit.totals import Counts
from underspend.core.advisor import Advisor, Seen, Surroundings
from underspend.core.history import History, Skipped
from underspend.core.money import Money
from underspend.pricing.catalogue import Catalogue, catalogue


class Part(msgspec.Struct, array_like=True, gc=False):
    """A part of an audit. `first_at` and `last_at` are the times of its first and last chosen reply, 0 without any.

    `replies` counts all of its replies, chosen or not, `spent` is what those of the chosen sessions and time cost.
    `windows` and `moments` are packed, since only those of a day and of a few weeks are looked at. `facts` are those
    of the advisors by their names, each packed as it says; `faults` say how those failed that did. `numbered` are its
    chosen replies as numbers.
    """

    first_at: int
    last_at: int
    replies: int
    spent: Money
    groups: list[Cells]
    categories: Cells
    asked: Asked
    windows: dict[str, msgspec.Raw]
    hours: list[activity.Hour]
    moments: msgspec.Raw
    told: Told
    cut: Cause | None
    facts: dict[str, msgspec.Raw]
    faults: dict[str, str]
    claims: Claims
    files: int
    skipped: list[Skipped]
    unknown: dict[str, int]
    numbered: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What a part depends on besides its history: the same for all parts of an audit."""

    days: Days
    advisors: Sequence[type[Advisor[Any]]] = ()
    choice: Choice = field(default_factory=Choice)
    overrides: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    memory_files: Mapping[str, str] = field(default_factory=dict)
    memory_readers: Mapping[str, AbstractSet[str] | None] = field(default_factory=dict)
    retention_days: int | None = 30

    @property
    def prices(self) -> Catalogue:
        """The price list, with the user's own prices (`overrides`) before the listed ones."""
        return catalogue().with_overrides(self.overrides) if self.overrides else catalogue()


pack = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder(Part).decode


def part_of(history: History, looking: Looking) -> Part:
    """The part of an audit that some sessions are."""
    choice = looking.choice
    replies = sum([len(line.replies) for line in history.timelines])
    history = replace(history, timelines=choice.timelines(history.timelines))
    everything = price(history, looking.prices)
    billed = [each for each in everything if choice.is_chosen(each)]
    rates = CatalogueRates(history, looking.prices)
    around = _around(everything, rates, looking)
    seen, faults = _seen(history, around, looking.advisors)
    names = None if len(billed) == len(everything) else {each.reply.message_id for each in billed}
    return Part(
        first_at=billed[0].reply.at if billed else 0,
        last_at=billed[-1].reply.at if billed else 0,
        replies=replies,
        spent=sum([each.bill.total for each in everything]),
        hours=activity.hours(billed),
        moments=_packed(trend.moments(billed)),
        told=_told(history, everything, billed, rates, looking),
        cut=cut_replies(history.timelines, rates),
        facts={name: _packed(each.facts) for name, each in seen.items()},
        faults=faults,
        claims=claimed(seen.values(), around.bills, only=None if names is None else names.__contains__),
        files=len(history.files),
        skipped=history.skipped,
        unknown=history.unknown,
        numbered=packed(billed),
        **_places(history, billed, looking),
    )


def _places(history: History, billed: Sequence[Billed], looking: Looking) -> dict[str, Any]:
    """Where and when the money went: fields of `Part` by name."""
    kinds = categories.kinds(billed)
    found = cells(billed, looking.days, kinds)
    own: dict[categories.Category, Counts] = {}
    for cell in found:
        if cell.kind is not None:
            known = own.get(cell.kind)
            own[cell.kind] = cell.counts if known is None else list(map(add, known, cell.counts))
    by_message = {each.reply.message_id: each for each in billed}
    windows = activity.windows(billed, looking.days, kinds)
    return {
        "groups": by_kind(found),
        "categories": categories.less_resent(own, history.timelines, by_message, kinds),
        "asked": asked(billed, found, looking.prices),
        "windows": {day: _packed(each) for day, each in windows.items()},
    }


def _around(everything: Sequence[Billed], rates: CatalogueRates, looking: Looking) -> Surroundings:
    return Surroundings(
        now=0,
        bills=by_message(everything),
        rates=rates,
        settings=looking.settings,
        memory_files=looking.memory_files,
        memory_readers=looking.memory_readers,
        retention_days=looking.retention_days,
    )


def _told(
    history: History,
    everything: Sequence[Billed],
    billed: Sequence[Billed],
    rates: CatalogueRates,
    looking: Looking,
) -> Told:
    """What the client's own totals say of the chosen sessions; nothing where these are not looked at whole."""
    if looking.choice.is_part or not history.totals:
        return Told([], [])
    found = told(history, everything, rates, looking.prices)
    ours = {each.line.session for each in billed}
    return Told([each for each in found.sessions if each.session in ours], found.totals)


def _packed(value: object) -> msgspec.Raw:
    return msgspec.Raw(pack(value))


def _seen(
    history: History, around: Surroundings, advisors: Sequence[type[Advisor[Any]]]
) -> tuple[dict[str, Seen], dict[str, str]]:
    """What each advisor saw, by its name, and how those failed that did."""
    seen: dict[str, Seen] = {}
    faults: dict[str, str] = {}
    for advisor in advisors:
        try:
            found = advisor().look(history, around)
        except Exception as error:  # noqa: BLE001  # a fault in one advisor must not cost the user the report
            faults[advisor.name] = f"{type(error).__name__}: {error}"
            continue
        if found is not None:
            seen[advisor.name] = found
    return seen, faults
