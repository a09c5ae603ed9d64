"""Calls, contexts and strategies for the tests of the kernel and the strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from underspend.core.call import Call
from underspend.core.context import Context
from underspend.core.edits import Edit
from underspend.core.strategy import Strategy


class FlatPrices:
    """Every known model costs its rate for each prompt token; the worst case is ten times that."""

    rates: ClassVar = {"dear": 10, "cheap": 1}

    def estimate(self, call: Call) -> int | None:
        rate = self.rates.get(call.model)
        return None if rate is None else rate * call.prompt_tokens

    def worst_case(self, call: Call) -> int:
        return 10 * self.rates.get(call.model, 100) * call.prompt_tokens


class NoPrices(FlatPrices):
    """A price list that fails."""

    def estimate(self, call: Call) -> int | None:
        raise LookupError(call.model)


def call(**more: Any) -> Call:
    base = {"id": "c1", "time": 0, "provider": "anthropic", "endpoint": "messages", "model": "dear", "prompt_tokens": 7}
    return Call(**{**base, **more})


def context(prices: FlatPrices | None = None, **more: Any) -> Context:
    return Context(**{"now": 0, "pricing": prices or FlatPrices(), **more})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted(Strategy):
    """Does what it is told."""

    name: ClassVar[str] = "scripted"
    says: Callable[[Call], Iterable[Edit]]

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        del ctx
        return self.says(call)


def proposing(*edits: Any) -> Scripted:
    return Scripted(says=lambda _: edits)
