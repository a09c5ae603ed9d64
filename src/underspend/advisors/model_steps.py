"""Which models are cheaper than another, and what the same tokens would have cost on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from underspend.advisors.claimed import NO_BILL
from underspend.advisors.rule_data import rules
from underspend.core.advisor import Surroundings
from underspend.core.history import Answered
from underspend.core.money import Money
from underspend.core.usage import Lane
from underspend.pricing.catalogue import catalogue
from underspend.pricing.table import Model

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN = (Lane.INPUT, Lane.OUTPUT)
_WHOLE = 100
_DAY = 86_400_000_000
_REMEMBERED = 1_024


def day(at: int) -> date:
    """The UTC date of an instant in microseconds."""
    return (_EPOCH + timedelta(microseconds=at)).date()


def known(model: str | None) -> Model | None:
    """What the price list says of a Claude model."""
    return catalogue().find(model, provider="anthropic") if model else None


@lru_cache(maxsize=_REMEMBERED)
def tier_of(model: str) -> int | None:
    """The tier of a model's id, 0 for the dearest; None for a name that says none."""
    words = model.lower().replace("[", "-").split("-")
    for number, names in enumerate(rules("dear_models")["tiers"]):
        if any(name in words for name in names):
            return number
    return None


def cheaper(model: str, at: int) -> tuple[Model, ...]:
    """The newest model of each cheaper tier at an instant, the next one down first."""
    return _cheaper_on(model, at // _DAY)


@lru_cache(maxsize=_REMEMBERED)
def _cheaper_on(model: str, days: int) -> tuple[Model, ...]:
    """The same on a UTC day, by its number since the epoch."""
    tier, today, newest = tier_of(model), day(days * _DAY), dict[int, Model]()
    if tier is None:
        return ()
    for other in catalogue().models():
        step = tier_of(other.id)
        if step is None or step <= tier or not _offered(other, today):
            continue
        if step not in newest or (other.released_on or today) > (newest[step].released_on or today):
            newest[step] = other
    return tuple([newest[step] for step in sorted(newest)])


def _offered(model: Model, today: date) -> bool:
    out = model.released_on is not None and model.released_on <= today
    return out and (model.retired_on is None or model.retired_on > today)


@dataclass(slots=True)
class Elsewhere:
    """What some replies cost, and what they would have cost on another model (`fits` None: it could not hold them).

    `saved` are the differences by reply and lane; a lane that is dearer there is negative.
    """

    paid: Money = 0
    would: Money = 0
    fits: bool = True
    saved: list[tuple[Answered, Lane, Money]] = field(default_factory=list)

    @property
    def gain(self) -> Money:
        """What the other model would have saved; negative for a loss."""
        return self.paid - self.would


def elsewhere(replies: Iterable[Answered], other: Model, around: Surroundings) -> Elsewhere:
    """The same tokens on another model, its cache, minimum prefix, tokenizer and window included.

    Parts of a reply that another model made (an advisor) are left as they are.
    """
    made = Elsewhere()
    for reply in replies:
        for lane, paid, would in _lines(reply, other, around):
            if would is None:
                made.fits = False
                continue
            made.paid += paid
            made.would += would
            made.saved.append((reply, lane, paid - would))
    return made


def _lines(reply: Answered, other: Model, around: Surroundings) -> Iterator[tuple[Lane, Money, Money | None]]:
    heavier = _heavier(reply.metered.model, other)
    units = reply.metered.units
    for line in around.bills.get(reply.message_id, NO_BILL).lines:
        unit = units[line.unit] if line.unit < len(units) else None
        if unit is None or unit.model not in {None, reply.metered.model} or not line.amount:
            continue
        prompt = unit.usage.prompt * heavier // _WHOLE
        if other.context is not None and prompt + unit.usage.output > other.context:
            yield line.lane, line.amount, None
            continue
        uncached = other.min_cache is not None and prompt < other.min_cache and line.lane not in _PLAIN
        rate = around.rates.rate(other.id, Lane.INPUT if uncached else line.lane, reply.at, prompt)
        yield line.lane, line.amount, None if rate is None else line.tokens * rate * heavier // _WHOLE


def _heavier(model: str | None, other: Model) -> int:
    """Percent of tokens the other model's tokenizer makes of the same text; a lighter one is not counted on."""
    tokenizer, mine = rules("dear_models")["tokenizer"], known(model)
    since: date = tokenizer["heavier_since"]

    def heavy(each: Model | None) -> bool:
        return each is not None and each.released_on is not None and each.released_on >= since

    return int(tokenizer["percent"]) if heavy(other) and not heavy(mine) else _WHOLE
