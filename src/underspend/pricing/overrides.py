"""The user's own prices, as they stand in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from underspend.core.errors import ConfigError
from underspend.core.money import PICO_PER_TOKEN_AT_ONE_DOLLAR_PER_MTOK, Money
from underspend.pricing.table import Model, Rates, Row

_NEEDED = ("input", "output")
_CACHE = ("cache_write_5m", "cache_write_1h", "cache_read")
_MEND = 'Write USD per million tokens as a string, such as input = "3.00".'


def read_overrides(prices: Mapping[str, Mapping[str, object]]) -> dict[str, Model]:
    """Models by id from `{id: {lane: "USD per MTok"}}`; keys stay as written and also count in lower case.

    Raises ConfigError naming the table and key at fault.
    """
    models: dict[str, Model] = {}
    for name, table in prices.items():
        model = Model(id=name, rows=(Row(_rates(name, table)),), source="your configuration", provider="yours")
        models[name] = models[name.lower()] = model
    return models


def per_token(usd_per_mtok: str) -> Money:
    """Pico-dollars per token from USD per million tokens.

    Raises ValueError for what is not a decimal number, is negative or is finer than a pico-dollar per token.
    """
    try:
        exact = Decimal(usd_per_mtok) * PICO_PER_TOKEN_AT_ONE_DOLLAR_PER_MTOK
    except InvalidOperation:
        raise ValueError(f"{usd_per_mtok!r} is not a number") from None
    if not exact.is_finite() or exact < 0:
        raise ValueError(f"{usd_per_mtok!r} is not an amount")
    if exact != int(exact):
        raise ValueError(f"{usd_per_mtok!r} is finer than a pico-dollar per token")
    return int(exact)


def _rates(name: str, table: Mapping[str, object]) -> Rates:
    where = f'[prices."{name}"]'
    unknown = sorted(set(table) - {*_NEEDED, *_CACHE})
    if unknown:
        mend = f"The keys are {', '.join((*_NEEDED, *_CACHE))}."
        raise ConfigError(where=where, problem=f"unknown key {unknown[0]!r}", mend=mend)
    found: dict[str, Money] = {}
    for lane, value in table.items():
        if not isinstance(value, str):
            raise ConfigError(where=where, problem=f"{lane} is not a string", mend=_MEND)
        try:
            found[lane] = per_token(value)
        except ValueError as error:
            raise ConfigError(where=where, problem=f"{lane}: {error}", mend=_MEND) from None
    missing = [lane for lane in _NEEDED if lane not in found]
    if missing:
        raise ConfigError(where=where, problem=f"{missing[0]} is missing", mend=_MEND)
    plain, short = found["input"], found.get("cache_write_5m", found["input"])
    return Rates(
        input=plain,
        cache_write_5m=short,
        cache_write_1h=found.get("cache_write_1h", short),
        cache_read=found.get("cache_read", plain),
        output=found["output"],
    )
