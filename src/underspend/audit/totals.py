"""What many replies add up to, in the words of the bill."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from underspend.audit.bills import LANES, Billed
from underspend.core.money import Money

EXTRA = "extra"
"""What is billed beside tokens: web searches and the like."""

Counts = list[int]
"""The figures of `Totals` in one row, in the order of `Totals.counts`: what is kept, and quick to add up."""

_NO_TOKENS: dict[str, int] = {lane.value: 0 for lane in LANES}
_NO_LANES: dict[str, Money] = {**_NO_TOKENS, EXTRA: 0}
COLUMNS = 20
FIRST_TOKENS, CACHE_READ, OUTPUT, FIRST_LANE, COST = 1, 4, 5, 6, 13
"""Where in a row of counts the tokens by lane begin, two of them, where the dollars by lane begin, and all dollars."""

_EXTRA = FIRST_LANE + len(LANES)
_DOLLARS = {lane: FIRST_LANE + index for index, lane in enumerate(LANES)}


@dataclass(slots=True, kw_only=True)
class Totals:
    """Replies, tokens by lane and dollars (integer pico-dollars).

    `output_estimated` and `unseen` are the output that was never recorded, in tokens and dollars; they are in no other
    figure. `nested` counts the replies known only from a sub-agent's progress lines in its parent's file, `nested_cost`
    their dollars (both are in the totals). `unpriced` counts replies of which some part has no known price.
    """

    requests: int = 0
    tokens: dict[str, int] = field(default_factory=_NO_TOKENS.copy)
    output_estimated: int = 0
    cost: Money = 0
    unseen: Money = 0
    lanes: dict[str, Money] = field(default_factory=_NO_LANES.copy)
    nested: int = 0
    nested_cost: Money = 0
    unpriced: int = 0
    web_searches: int = 0
    thinking: int = 0

    @classmethod
    def of(cls, counts: Counts) -> Totals:
        """The totals that a row of counts is."""
        return cls(
            requests=counts[0],
            tokens=dict(zip(_NO_TOKENS, counts[1:6], strict=True)),
            lanes=dict(zip(_NO_LANES, counts[6:12], strict=True)),
            output_estimated=counts[12],
            cost=counts[13],
            unseen=counts[14],
            nested=counts[15],
            nested_cost=counts[16],
            unpriced=counts[17],
            web_searches=counts[18],
            thinking=counts[19],
        )

    def counts(self) -> Counts:
        """All figures in one row."""
        return [
            self.requests,
            *self.tokens.values(),
            *self.lanes.values(),
            self.output_estimated,
            self.cost,
            self.unseen,
            self.nested,
            self.nested_cost,
            self.unpriced,
            self.web_searches,
            self.thinking,
        ]

    @property
    def prompt(self) -> int:
        """All tokens that went in."""
        return sum(self.tokens.values()) - self.tokens["output"]

    @property
    def hit_share(self) -> float | None:
        """The part of the prompt tokens read from the cache, 0 to 1; None without prompts."""
        return self.tokens["cache_read"] / self.prompt if self.prompt else None

    def add(self, each: Billed) -> None:
        """Counts one reply in."""
        row = nothing()
        count_in(row, each)
        self.merge(Totals.of(row))

    def merge(self, other: Totals) -> None:
        """Counts in what another has counted."""
        tokens, lanes = self.tokens, self.lanes
        # Spelled out as above: groups of eight kinds are merged from the same cells.
        for lane, count in other.tokens.items():
            if count:
                tokens[lane] += count
        for lane, amount in other.lanes.items():
            if amount:
                lanes[lane] += amount
        self.requests += other.requests
        self.output_estimated += other.output_estimated
        self.cost += other.cost
        self.unseen += other.unseen
        self.nested += other.nested
        self.nested_cost += other.nested_cost
        self.unpriced += other.unpriced
        self.web_searches += other.web_searches
        self.thinking += other.thinking


def nothing() -> Counts:
    """A row in which nothing was counted yet."""
    return [0] * COLUMNS


def count_in(row: Counts, each: Billed) -> None:
    """Counts one reply in a row."""
    usage, bill, reply = each.usage, each.bill, each.reply
    # Spelled out: this runs for each reply of years.
    row[0] += 1
    row[1] += usage.input
    row[2] += usage.cache_write_5m
    row[3] += usage.cache_write_1h
    row[4] += usage.cache_read
    row[5] += usage.output
    for line in bill.lines:
        row[_DOLLARS[line.lane]] += line.amount
    row[COST] += bill.total
    if bill.extras:
        row[_EXTRA] += sum([amount for _, amount in bill.extras])
    if reply.unseen_output:
        row[12] += reply.unseen_output
        row[14] += each.unseen
    if reply.nested:
        row[15] += 1
        row[16] += bill.total
    if bill.unpriced:
        row[17] += 1
    row[18] += reply.metered.web_searches
    row[19] += reply.metered.thinking_tokens


def total(billed: Iterable[Billed]) -> Totals:
    """All of them together."""
    row = nothing()
    for each in billed:
        count_in(row, each)
    return Totals.of(row)


def merged(parts: Iterable[Totals]) -> Totals:
    """Totals of parts, together."""
    found = Totals()
    for part in parts:
        found.merge(part)
    return found
