"""Every reply of a history priced once, at its own time."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from underspend.core.history import Answered, History, Timeline
from underspend.core.money import Money
from underspend.core.reply import Bill
from underspend.core.usage import Lane, Usage
from underspend.pricing.catalogue import Catalogue, catalogue
from underspend.pricing.cost import UNNAMED, cost, plain_bill

LANES = tuple(Lane)


class Billed(msgspec.Struct, frozen=True, gc=False):
    """A reply, where it happened, and its bill.

    `bill` is for the recorded usage. `unseen` is what the output that was never recorded would add: an estimate, kept
    apart. `model` is the listed id it was priced as, else the id it names.
    """

    line: Timeline
    reply: Answered
    bill: Bill
    unseen: Money
    model: str
    usage: Usage

    @property
    def is_agent(self) -> bool:
        """Whether a sub-agent asked, not the main loop."""
        return self.line.agent is not None or self.reply.nested


def price(history: History, prices: Catalogue | None = None) -> list[Billed]:
    """The replies oldest first, each message id once whichever timelines hold it."""
    known = prices or catalogue()
    seen: set[str] = set()
    names: dict[tuple[str | None, str | None], str] = {}
    found: list[Billed] = []
    for line in history.timelines:
        for event in line.events:
            if type(event) is Answered and event.message_id not in seen:
                seen.add(event.message_id)
                found.append(_billed(line, event, known, names))
    found.sort(key=_in_time)
    return found


def _in_time(each: Billed) -> tuple[int, str]:
    return each.reply.at, each.reply.message_id


def _billed(
    line: Timeline, reply: Answered, prices: Catalogue, names: dict[tuple[str | None, str | None], str]
) -> Billed:
    metered = reply.metered
    bill = plain_bill(metered, reply.at, prices) or cost(metered, at=reply.at, catalogue=prices)
    unseen = _unseen(reply, bill, prices) if reply.unseen_output else 0
    named = (metered.model, metered.provider)
    model = names.get(named)
    if model is None:
        name = metered.model or UNNAMED
        found = prices.resolve(name, provider=metered.provider)
        model = names[named] = found.model.id if found else name
    return Billed(line, reply, bill, unseen, model, metered.usage)


def _unseen(reply: Answered, bill: Bill, prices: Catalogue) -> Money:
    for line in bill.lines:
        if line.lane is Lane.OUTPUT:
            return reply.unseen_output * line.rate
    model = reply.metered.model
    if model is None:
        return 0
    rates = prices.rates(model, reply.at, reply.metered.reported.prompt, provider=reply.metered.provider)
    return reply.unseen_output * ((rates.output or 0) if rates else 0)


def by_message(billed: Sequence[Billed]) -> dict[str, Bill]:
    """The bills by message id, as advisors ask for them."""
    return {each.reply.message_id: each.bill for each in billed}
