"""What several advisors read of a timeline, worked out once for all that are given the same surroundings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from underspend.advisors.reading.carried import Stretch, stretches
from underspend.advisors.reading.steps import Step, steps
from underspend.core.advisor import Surroundings
from underspend.core.history import Answered, Timeline
from underspend.core.reply import Bill
from underspend.core.usage import Usage

Made = TypeVar("Made")
Account = tuple[Answered, Usage, Bill]
"""A reply, the tokens that it was billed for, and its bill."""

NO_BILL = Bill()
"""What a reply without a bill costs as far as anybody knows."""


def replies_of(timeline: Timeline, around: Surroundings) -> list[Answered]:
    """The replies of a timeline, in order. They are shared: nobody may change them."""
    return _once("replies", timeline, around, lambda: timeline.replies)


def accounts_of(timeline: Timeline, around: Surroundings) -> list[Account]:
    """The replies of a timeline, each with its billed tokens and its bill. They are shared: nobody may change them."""
    bills = around.bills
    return _once(
        "accounts",
        timeline,
        around,
        lambda: [
            (reply, reply.metered.usage, bills.get(reply.message_id, NO_BILL)) for reply in replies_of(timeline, around)
        ],
    )


def steps_of(timeline: Timeline, around: Surroundings) -> list[Step]:
    """The steps of a timeline, as `steps` gives them. They are shared: nobody may change them."""
    return _once("steps", timeline, around, lambda: steps(timeline, around.bills))


def stretches_of(timeline: Timeline, around: Surroundings) -> list[Stretch]:
    """The contexts of a timeline, as `stretches` gives them. They are shared: nobody may change them."""
    return _once("stretches", timeline, around, lambda: stretches(steps_of(timeline, around)))


def _once(what: str, timeline: Timeline, around: Surroundings, make: Callable[[], Made]) -> Made:
    key = (what, id(timeline))
    # The timeline is remembered too: without it another one could come to have its identity.
    known = cast("tuple[Timeline, Made] | None", around.worked_out.get(key))
    if known is None:
        known = (timeline, make())
        around.worked_out[key] = known
    return known[1]
