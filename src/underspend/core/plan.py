"""The outcome of running the strategies over one call."""

from __future__ import annotations

from dataclasses import dataclass

from underspend.core.call import Call
from underspend.core.edits import Edit, Refuse
from underspend.core.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One proposed edit, whether it was applied, and the call's estimated price before and after it.

    The prices are None where a model has no known price. `again` marks an edit made for an earlier call's sake: it was
    decided and priced there.
    """

    strategy: str
    edit: Edit
    applied: bool
    before: Money | None
    after: Money | None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """A part of ours that failed while the call went on: which one, and what it said."""

    component: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do with a call. `call` is as it shall be sent; `refusal` is set when it shall not be sent at all."""

    asked: Call
    call: Call
    decisions: tuple[Decision, ...] = ()
    faults: tuple[Fault, ...] = ()
    refusal: Refuse | None = None

    @property
    def edited(self) -> bool:
        """Whether the bytes sent will differ from the bytes received."""
        return self.call is not self.asked
