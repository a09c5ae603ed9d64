"""What many replies add up to, in the words of the bill."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
        self.merge(Totals.of(counts_of([each])))

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


def counts_of(billed: Sequence[Billed]) -> Counts:
    """What some replies come to, in one row."""
    # Row by row, then added up by column: this runs for each reply of years. What few replies have comes after.
    rows = [
        (
            1,
            usage.input,
            usage.cache_write_5m,
            usage.cache_write_1h,
            usage.cache_read,
            usage.output,
            *bill.by_lane,
            reply.unseen_output,
            bill.total,
            each.unseen,
            reply.metered.web_searches,
            reply.metered.thinking_tokens,
        )
        for each in billed
        for usage, bill, reply in ((each.usage, each.bill, each.reply),)
    ]
    if not rows:
        return nothing()
    sums = [*map(sum, zip(*rows, strict=True))] if len(rows) > 1 else rows[0]
    extras = nested = nested_cost = unpriced = 0
    for each in billed:
        bill = each.bill
        if bill.extras:
            extras += sum([amount for _, amount in bill.extras])
        if bill.unpriced:
            unpriced += 1
        if each.reply.nested:
            nested += 1
            nested_cost += bill.total
    return [*sums[:_EXTRA], extras, *sums[_EXTRA : COST + 1], nested, nested_cost, unpriced, *sums[COST + 1 :]]


def total(billed: Iterable[Billed]) -> Totals:
    """All of them together."""
    return Totals.of(counts_of(list(billed)))


def merged(parts: Iterable[Totals]) -> Totals:
    """Totals of parts, together."""
    found = Totals()
    for part in parts:
        found.merge(part)
    return found
