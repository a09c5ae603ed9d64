"""Calls, contexts and strategies for the tests of the kernel and the strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from underspend.core.call import Block, Call, Section
from underspend.core.context import Context
from underspend.core.edits import Edit
from underspend.core.strategy import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatRates:
    """The usual proportions: a write for 5 minutes 1.25, for an hour 2, a read 0.1 of the input rate, output 5."""

    input: int = 100

    @property
    def cache_write_5m(self) -> int:
        return self.input * 5 // 4

    @property
    def cache_write_1h(self) -> int:
        return self.input * 2

    @property
    def cache_read(self) -> int:
        return self.input // 10

    @property
    def output(self) -> int:
        return self.input * 5


class FlatPrices:
    """Every known model costs its rate for each prompt token; the worst case is ten times that."""

    known: ClassVar = {"dear": 10, "middle": 5, "cheap": 1}
    step: int | None = None
    minimum = 1

    def rates(self, call: Call) -> FlatRates | None:
        rate = self.known.get(call.model)
        above = self.step is not None and call.prompt_tokens > self.step
        return None if rate is None else FlatRates(input=rate * (50 if above else 10))

    def step_above(self, call: Call) -> int | None:
        return self.step

    def cache_minimum(self, model: str) -> int:
        return self.minimum

    def estimate(self, call: Call) -> int | None:
        rate = self.known.get(call.model)
        return None if rate is None else rate * call.prompt_tokens

    def worst_case(self, call: Call) -> int:
        return 10 * self.known.get(call.model, 100) * call.prompt_tokens


class NoPrices(FlatPrices):
    """A price list that fails."""

    def estimate(self, call: Call) -> int | None:
        raise LookupError(call.model)


def call(**more: Any) -> Call:
    base = {"id": "c1", "time": 0, "provider": "anthropic", "endpoint": "messages", "model": "dear", "prompt_tokens": 7}
    return Call(**{**base, **more})


def context(prices: FlatPrices | None = None, **more: Any) -> Context:
    return Context(**{"now": 0, "pricing": prices or FlatPrices(), **more})


def result(ref: str = "t1", **more: Any) -> Block:
    """A tool's result."""
    base = {"section": Section.MESSAGES, "kind": "tool_result", "label": "Read result", "digest": ref.encode()}
    base |= {"size": 70, "tokens": 20, "ref": ref, "message": 2, "role": "user"}
    return Block(**{**base, **more})


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
