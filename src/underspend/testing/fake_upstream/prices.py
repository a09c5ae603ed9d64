"""The fake provider's own price list: an independent witness of the catalogue, so it imports nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Literal, Protocol

import msgspec

PICO_PER_DOLLAR = 10**12
TOKENS_PER_MTOK = 10**6

LANES = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")


class PriceSource(Protocol):
    """Where the fake provider learns what a token costs. Any object with these methods will do."""

    def rates(self, model: str, prompt_tokens: int = 0, speed: str = "standard") -> Mapping[str, int] | None:
        """Pico-dollars per token by lane (`LANES`), or None for a model without a price."""

    def min_cache_tokens(self, model: str) -> int:
        """The shortest prefix, in tokens, that this model caches."""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `models.json`. Rates are USD per million tokens, written as strings to stay exact.

    `legacy_controls` are thinking budgets and sampling parameters. `disable_thinking` says up to which effort
    thinking may be turned off. `strips_thinking` drops the thinking of finished turns from the prompt,
    `binds_thinking` ties it to model and prefix.
    """

    id: str
    display_name: str
    released: str
    rates: dict[str, str]
    min_cache_tokens: int
    context_window: int
    max_output: int
    aliases: tuple[str, ...] = ()
    above: int | None = None
    rates_above: dict[str, str] | None = None
    fast: dict[str, str] | None = None
    ignores_speed: bool = False
    us_geo: bool = False
    legacy_controls: bool = False
    prefill: bool = False
    forced_tool_choice: bool = True
    disable_thinking: Literal["always", "up_to_high", "never"] = "always"
    strips_thinking: bool = False
    binds_thinking: bool = False
    default_effort: str = "high"
    default_thinking: str = "disabled"


class _Document(msgspec.Struct, frozen=True):
    source: str
    checked: str
    web_search_usd: str
    models: tuple[Model, ...]


@cache
def _document() -> _Document:
    raw = resources.files(__package__).joinpath("models.json").read_bytes()
    return msgspec.json.decode(raw, type=_Document)


def _per_token(usd_per_mtok: Mapping[str, str]) -> dict[str, int]:
    exact = {lane: Decimal(usd) * PICO_PER_DOLLAR / TOKENS_PER_MTOK for lane, usd in usd_per_mtok.items()}
    return {lane: int(pico) for lane, pico in exact.items()}


class PriceList:
    """The shipped price list and model facts, by exact id or documented alias, never by prefix."""

    def __init__(self) -> None:
        document = _document()
        self.source, self.checked = document.source, document.checked
        self.web_search = int(Decimal(document.web_search_usd) * PICO_PER_DOLLAR)
        self.models = document.models
        self._by_id = {name: model for model in document.models for name in (model.id, *model.aliases)}

    def find(self, model: str) -> Model | None:
        """The facts of a model, or None when the id is not on the list."""
        return self._by_id.get(model)

    def rates(self, model: str, prompt_tokens: int = 0, speed: str = "standard") -> Mapping[str, int] | None:
        """Pico-dollars per token by lane. A long prompt takes the dearer step for every lane of the request."""
        facts = self.find(model)
        if facts is None:
            return None
        if speed == "fast" and facts.fast is not None:
            return _per_token(facts.fast)
        if facts.above is not None and facts.rates_above is not None and prompt_tokens > facts.above:
            return _per_token(facts.rates_above)
        return _per_token(facts.rates)

    def min_cache_tokens(self, model: str) -> int:
        """The model's minimum cacheable prefix; 1,024 tokens for an unknown model, the commonest minimum."""
        facts = self.find(model)
        return 1024 if facts is None else facts.min_cache_tokens
