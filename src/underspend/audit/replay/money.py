"""What a recorded reply cost, and would cost with other tokens: the same rules as its bill, to the pico-dollar."""

from __future__ import annotations

from dataclasses import dataclass, replace

from underspend.audit.prediction_steps import Step
from underspend.core.money import Money
from underspend.core.reply import Bill
from underspend.core.usage import Usage
from underspend.pricing.catalogue import Catalogue
from underspend.pricing.cost import cost
from underspend.pricing.table import Model


@dataclass(slots=True)
class Paid:
    """The bill of a reply.

    `plain` is its model where it was billed at nothing but list prices, `fees` what was billed besides tokens.
    `unpriced` replies have no known price: they cost the same in every world, and are counted apart.
    """

    total: Money
    fees: Money
    plain: Model | None
    unpriced: bool


def paid_for(step: Step, bill: Bill, prices: Catalogue) -> Paid:
    """The bill of a call's reply, ready to be asked what it would have been."""
    fees = sum(amount for _, amount in bill.extras)
    metered = step.reply.metered
    model = prices.find(metered.model or "", provider=metered.provider)
    plain = model if model is not None and len(metered.units) == 1 and bill.priced else None
    if plain is not None:
        rates = plain.standard_rates(step.reply.at, step.usage.prompt)
        if any(line.rate != getattr(rates, line.lane) for line in bill.lines):
            plain = None
    return Paid(bill.total, fees, plain, not bill.priced)


def would_cost(step: Step, paid: Paid, usage: Usage, prices: Catalogue, model: str | None = None) -> Money:
    """The bill of a call had its prompt's pass used these tokens, by another model of the provider where one is named.

    A model without a known price leaves the bill as it was.
    """
    if paid.unpriced:
        return paid.total
    metered = step.reply.metered
    listed = paid.plain if model is None else prices.find(model, provider=metered.provider)
    if model is not None and listed is None:
        return paid.total
    if paid.plain is not None and listed is not None:
        rates = listed.standard_rates(step.reply.at, usage.prompt)
        return (
            paid.fees
            + usage.input * rates.input
            + usage.cache_write_5m * rates.cache_write_5m
            + usage.cache_write_1h * rates.cache_write_1h
            + usage.cache_read * rates.cache_read
            + usage.output * (rates.output or 0)
        )
    units = list(metered.units)
    units[step.unit] = replace(units[step.unit], usage=usage)
    return cost(replace(metered, units=tuple(units)), at=step.reply.at, catalogue=prices, model=model).total
