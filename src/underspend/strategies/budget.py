"""A limit on what may be spent in a day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from underspend.core.call import Call
from underspend.core.context import Context
from underspend.core.edits import Edit, RefusalKind, Refuse, Warn
from underspend.core.money import from_usd, show
from underspend.core.strategy import State, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Strategy):
    """`day_usd` per calendar day in the report's time zone; `action` is what happens at the limit.

    With `block` the day's bill cannot exceed the limit: a call is let through only if what was billed, what calls
    in flight may still cost, and the most this call can cost fit together. With `warn` it is only said.
    """

    name: ClassVar[str] = "budget"
    edits: ClassVar[bool] = False
    default_state: ClassVar[State] = State.ON
    day_usd: str = ""
    action: Literal["warn", "block"] = "warn"

    def __post_init__(self) -> None:
        """Refuse an amount that is no amount, when the configuration is read."""
        if self.day_usd and from_usd(self.day_usd) < 0:
            raise ValueError(f"day_usd is {self.day_usd}, which is below zero")

    def needs(self, call: Call) -> Iterable[str]:
        """The day's spending, when there is a limit on it and the call can cost something."""
        return ("day",) if self.day_usd and call.endpoint == "messages" else ()

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """A refusal or a warning when the call may pass the limit."""
        if not self.day_usd or call.endpoint != "messages":
            return
        limit, spent, most = from_usd(self.day_usd), ctx.spent["day"], ctx.worst_case(call)
        if self.action == "warn":
            if spent >= limit:
                yield Warn(why=f"today's {show(limit)} is spent: {show(spent)} so far")
            return
        if spent + ctx.held + most <= limit:
            return
        in_flight = f" and {show(ctx.held)} held for calls in flight" if ctx.held else ""
        yield Refuse(
            RefusalKind.BUDGET,
            why=f"today's budget is {show(limit)}; {show(spent)} is spent{in_flight}, "
            f"and this call could cost up to {show(most)}",
        )
