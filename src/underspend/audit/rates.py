"""Prices and cache lifetimes for what might have been, from the shipped catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from underspend.core.advisor import RateSource
from underspend.core.history import Answered, History
from underspend.core.money import Money
from underspend.core.usage import PLACES, Lane
from underspend.pricing.catalogue import Catalogue, Listed, catalogue

_UNKNOWN = (None,) * len(PLACES)
FIVE_MINUTES = 300_000_000
ONE_HOUR = 3_600_000_000


class CatalogueRates(RateSource):
    """List prices by model, time and prompt length; lifetimes from what each reply wrote.

    A reply that wrote for an hour lives for an hour; one that only read lives as long as what its timeline wrote last.
    """

    __slots__ = ("_history", "_lifetimes", "_listed", "_prices")

    def __init__(self, history: History, prices: Catalogue | None = None) -> None:
        self._history = history
        self._prices = prices or catalogue()
        self._lifetimes: dict[str, int] | None = None
        self._listed: dict[str, Listed | None] = {}

    def rate(self, model: str, lane: Lane, at: int, prompt_tokens: int) -> Money | None:
        """Pico-dollars per token at the standard tier; None for a model without a known price."""
        return self.rates(model, at, prompt_tokens)[PLACES[lane]]

    def rates(self, model: str, at: int, prompt_tokens: int) -> Sequence[Money | None]:
        """The same for all lanes."""
        try:
            listed = self._listed[model]
        except KeyError:
            listed = self._listed[model] = self._prices.listed(model, provider="anthropic")
        return _UNKNOWN if listed is None else listed.rates(at, prompt_tokens)

    def ttl_micros(self, reply: Answered) -> int:
        """How long what this reply wrote or read stays cached: 5 minutes or an hour, in microseconds."""
        written = lifetime_written(reply)
        if written is not None:
            return written
        if self._lifetimes is None:
            self._lifetimes = _carried(self._history)
        return self._lifetimes.get(reply.message_id, FIVE_MINUTES)


def lifetime_written(reply: Answered) -> int | None:
    """The longest lifetime a reply asked for, in microseconds; None when it wrote nothing."""
    usage = reply.metered.reported
    if usage.cache_write_1h:
        return ONE_HOUR
    return FIVE_MINUTES if usage.cache_write_5m else None


def _carried(history: History) -> dict[str, int]:
    """For replies that only read: the lifetime last written in their timeline."""
    found: dict[str, int] = {}
    for line in history.timelines:
        last = FIVE_MINUTES
        for reply in line.replies:
            last = lifetime_written(reply) or last
            found[reply.message_id] = last
    return found
