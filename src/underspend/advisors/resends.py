"""What standing text costs: it is written once per session, then read again with every reply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from underspend.advisors.claimed import NO_BILL, Claimed
from underspend.core.history import Timeline
from underspend.core.money import Money, scale
from underspend.core.reply import Bill
from underspend.core.usage import Lane, Usage

ANYWHERE = -1
"""The reach of a text that may end anywhere in a timeline's first prompt, as CLAUDE.md does."""

FRONT = 1
"""The reach of a text at the front of the prompt: whatever was read from the cache, it was."""


class Send(NamedTuple):
    """Where a reply was billed for a standing text: the lane, its tokens, its dollars."""

    message_id: str
    lane: Lane
    tokens: int
    billed: Money

    def part(self, tokens: int) -> Money:
        """What so many of the lane's tokens were billed at."""
        return scale(self.billed, min(max(tokens, 0), self.tokens), self.tokens)


def sent_in(usage: Usage, reach: int) -> Lane | None:
    """The lane in which a text was billed that ends `reach` tokens into a prompt.

    A cache is read from the front, so the text was read if the reading got that far, else written where anything was
    written, else sent as plain input. None for a reply without a prompt.
    """
    if usage.cache_read and usage.cache_read >= reach:
        return Lane.CACHE_READ
    written = Lane.CACHE_WRITE_1H if usage.cache_write_1h > usage.cache_write_5m else Lane.CACHE_WRITE_5M
    if usage.lane(written):
        return written
    if usage.input:
        return Lane.INPUT
    return Lane.CACHE_READ if usage.cache_read else None


class Resends:
    """The sends of timelines, each looked at once."""

    def __init__(self, bills: Mapping[str, Bill]) -> None:
        self._bills = bills
        self._known: dict[tuple[int, int], list[Send]] = {}

    def cost(self, timelines: Iterable[Timeline], tokens: int, *, reach: int) -> Money:
        """What `tokens` of standing text cost over some timelines."""
        return sum(send.part(tokens) for line in timelines for send in self._sends(line, reach))

    def claim(self, timelines: Iterable[Timeline], tokens: int, claimed: Claimed, *, reach: int) -> None:
        """Claim what `tokens` of standing text cost over some timelines."""
        for line in timelines:
            for send in self._sends(line, reach):
                claimed.put(send.message_id, send.lane, send.part(tokens), send.billed)

    def _sends(self, line: Timeline, reach: int) -> list[Send]:
        key = (id(line), reach)
        if key not in self._known:
            self._known[key] = list(self._look(line, reach))
        return self._known[key]

    def _look(self, line: Timeline, reach: int) -> Iterator[Send]:
        for reply in line.replies:
            usage = reply.metered.usage
            if reach == ANYWHERE:
                reach = usage.prompt
            lane = sent_in(usage, reach)
            billed = 0 if lane is None else self._bills.get(reply.message_id, NO_BILL).lane(lane)
            if lane is not None and billed:
                yield Send(reply.message_id, lane, usage.lane(lane), billed)
