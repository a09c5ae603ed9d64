"""What replay takes for granted where a policy would have changed the replies themselves: dated data with sources."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib import resources
from typing import Any

from underspend.core.money import scale
from underspend.core.usage import Usage
from underspend.pricing.table import Model

_WHOLE = 1000


@dataclass(frozen=True, slots=True)
class Ratio:
    """A factor on tokens in thousandths, as a range: what makes the policy cheapest, what is expected, dearest."""

    low: int
    expected: int
    high: int

    def __mul__(self, other: Ratio) -> Ratio:
        return Ratio(*(mine * its // _WHOLE for mine, its in zip(self.each, other.each, strict=True)))

    @property
    def each(self) -> tuple[int, int, int]:
        """Low, expected, high."""
        return self.low, self.expected, self.high


SAME = Ratio(_WHOLE, _WHOLE, _WHOLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """One thing taken for granted, in words, with where it is from ("" where there is no source)."""

    name: str
    text: str
    source: str


def assumptions() -> Sequence[Assumption]:
    """All of them, in the order of the data."""
    return [
        Assumption(name=name, text=entry["text"], source=entry["source"])
        for name, entry in _data().items()
        if isinstance(entry, dict)
    ]


def tokenizer(mine: Model | None, other: Model | None) -> Ratio:
    """How many tokens the other model makes of what were a thousand of mine."""
    heavy_mine, heavy_other = _is_heavy(mine), _is_heavy(other)
    if heavy_mine == heavy_other:
        return SAME
    ratio = _ratio("tokenizer")
    if heavy_other:
        return ratio
    low, expected, high = (_WHOLE * _WHOLE // each for each in reversed(ratio.each))
    return Ratio(low, expected, high)


def work_of_another_model() -> Ratio:
    """What another model needs for the same task, of a thousand tokens, prompts and replies alike."""
    return _ratio("model_work")


def output_at_another_effort() -> Ratio:
    """How long replies are at another effort, of a thousand tokens."""
    return _ratio("effort_output")


def content_left_out() -> Ratio:
    """How much edits of content really took out, of a thousand tokens estimated."""
    return _ratio("content_tokens")


def scaled(usage: Usage, prompt: int, output: int) -> Usage:
    """The tokens times two factors in thousandths: one for the prompt, one for the reply."""
    if prompt == output == _WHOLE:
        return usage
    return Usage(
        input=scale(usage.input, prompt, _WHOLE),
        cache_write_5m=scale(usage.cache_write_5m, prompt, _WHOLE),
        cache_write_1h=scale(usage.cache_write_1h, prompt, _WHOLE),
        cache_read=scale(usage.cache_read, prompt, _WHOLE),
        output=scale(usage.output, output, _WHOLE),
    )


def _is_heavy(model: Model | None) -> bool:
    since: date = _data()["tokenizer"]["heavier_since"]
    return model is not None and model.released_on is not None and model.released_on >= since


def _ratio(name: str) -> Ratio:
    entry = _data()[name]
    return Ratio(entry["low"], entry["expected"], entry["high"])


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    place = resources.files("underspend.audit.replay") / "data" / "assumptions.toml"
    return tomllib.loads(place.read_text("utf-8"))
