"""Money as integers. One unit is a pico-dollar: 10^-12 US dollars.

A price of $1 per million tokens is 1,000,000 pico-dollars per token, and the cheapest published rate
($0.003 per million) is still 3,000, so no rate, modifier or sum ever needs a fraction.
"""

from __future__ import annotations

from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow
from typing import TypeAlias

Money: TypeAlias = int
"""An amount in pico-dollars."""

PICO_PER_DOLLAR = 10**12
PICO_PER_TOKEN_AT_ONE_DOLLAR_PER_MTOK = 10**6
_WIDE = Context(prec=80)
_EXACT = Context(prec=60, Emax=60, traps=[Inexact, InvalidOperation, Overflow])


def from_usd(usd: Decimal | str | int) -> Money:
    """The exact pico-dollars of a dollar amount.

    Raises ValueError when the amount is finer than a pico-dollar (rounding a price is never right) or is no amount.
    """
    try:
        scaled = _EXACT.multiply(Decimal(usd), Decimal(PICO_PER_DOLLAR))
        whole = int(scaled)
    except Overflow as error:
        raise ValueError(f"{usd!r} is no amount of dollars") from error
    except Inexact as error:
        raise ValueError(f"{usd} dollars is finer than a pico-dollar") from error
    except (DecimalException, ValueError, OverflowError) as error:
        raise ValueError(f"{usd!r} is no amount of dollars") from error
    if whole != scaled:
        raise ValueError(f"{usd} dollars is finer than a pico-dollar")
    return whole


def to_usd(money: Money) -> Decimal:
    """The exact dollar amount, without trailing zeros."""
    usd = _WIDE.divide(Decimal(money), Decimal(PICO_PER_DOLLAR)).normalize(_WIDE)
    return usd.quantize(Decimal(1), context=_WIDE) if usd == usd.to_integral_value() else usd


def scale(money: Money, numerator: int, denominator: int) -> Money:
    """`money * numerator / denominator`, halves rounded to even (as ISO 80000 and banks do)."""
    quotient, remainder = divmod(money * numerator, denominator)
    twice = remainder * 2
    if twice > denominator or (twice == denominator and quotient % 2):
        return quotient + 1
    return quotient


def show(money: Money) -> str:
    """A dollar amount for people: two decimals from $1, three significant figures below, no cents from $10k."""
    sign, size = ("−" if money < 0 else ""), abs(to_usd(money))
    if size == 0:
        return "$0.00"
    # Rounded before the rule is chosen: what rounds to a dollar is shown as one.
    size = size.quantize(Decimal(1).scaleb(min(size.adjusted() - 2, -2)))
    if size >= 10_000:  # noqa: PLR2004  # the display rule of the line above, not a tunable
        return f"{sign}${size:,.0f}"
    if size >= 1:
        return f"{sign}${size:,.2f}"
    digits = 2 - size.adjusted()
    return f"{sign}${size:.{max(digits, 2)}f}"
