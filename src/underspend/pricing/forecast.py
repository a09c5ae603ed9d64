"""What a call will cost, before it is made: an estimate for people, an upper bound for budgets."""

from __future__ import annotations

from underspend.core.call import Call
from underspend.core.money import Money, scale
from underspend.core.ports import Rates as RatesPort
from underspend.pricing.catalogue import Catalogue, catalogue
from underspend.pricing.table import Model, Rates


class Forecast:
    """`core.ports.Pricing` from a catalogue.

    `places` names multipliers of place that this installation's calls carry ("geo:us", "regional"): the worst case
    counts them, since a workspace's default never shows in the call.
    """

    def __init__(self, prices: Catalogue | None = None, *, places: tuple[str, ...] = ()) -> None:
        self._prices = prices or catalogue()
        self._places = places

    def rates(self, call: Call) -> RatesPort | None:
        """The list prices at the call's prompt length and time, standard tier; None for an unlisted model."""
        return self._prices.rates(call.model, call.time, call.prompt_tokens, provider=call.provider)

    def step_above(self, call: Call) -> int | None:
        """The lowest prompt length above which the model is dearer; None where there is none."""
        model = self._prices.find(call.model, provider=call.provider)
        row = model.row(call.time, None) if model is not None else None
        return min((tier.above for tier in row.tiers), default=None) if row is not None else None

    def cache_minimum(self, model: str) -> int:
        """The shortest prefix the model caches, in tokens; 0 for an unlisted model."""
        found = self._prices.find(model, provider="anthropic")
        return (found.min_cache or 0) if found is not None else 0

    def estimate(self, call: Call) -> Money | None:
        """The prompt at the plain input rate of its length, at the standard tier; None for an unlisted model."""
        rates = self._prices.rates(call.model, call.time, call.prompt_tokens, provider=call.provider)
        return None if rates is None else call.prompt_tokens * rates.input

    def worst_case(self, call: Call) -> Money:
        """The prompt ceiling in its dearest lane and the whole output limit, in pico-dollars.

        Holds for one model reply without server tools. What the call does not show is not in it: searches, further
        iterations, a dearer service tier. An unlisted model counts at the dearest rates of its provider.
        """
        model = self._prices.find(call.model, provider=call.provider)
        if model is None:
            rates = self._prices.dearest(call.time, provider=call.provider)
            return _most(rates, call.prompt_ceiling, call.max_output)
        limit = _output_limit(call, model)
        amount = max(_most(rates, call.prompt_ceiling, limit) for rates in _possible(model, call))
        for place in self._places:
            amount = _times(amount, model.factors.get(place))
        return amount + (model.per_request or 0)


def _possible(model: Model, call: Call) -> list[Rates]:
    """Every set of rates the call may be billed at: each tier its prompt may fall in, of each table it may run on."""
    rows = [row for variant in (None, call.speed) if (row := model.row(call.time, variant)) is not None]
    tiers = (tier for row in rows for tier in row.tiers if call.prompt_ceiling > tier.above)
    return [*(row.rates for row in rows), *(tier.rates for tier in tiers)]


def _most(rates: Rates, prompt: int, output: int) -> Money:
    return prompt * rates.dearest_prompt + output * (rates.output or 0)


def _times(amount: Money, by: tuple[int, int] | None) -> Money:
    return amount if by is None else scale(amount, *by)


def _output_limit(call: Call, model: Model) -> int:
    """What the call may write. Only Anthropic's API demands a limit, so elsewhere none given means the model's own."""
    if call.max_output or model.provider == "anthropic":
        return call.max_output
    return model.max_output or model.context or 0
