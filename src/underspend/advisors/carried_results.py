"""What tool results cost for as long as they stayed in the context."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import ClassVar, NamedTuple

from underspend.advisors.reading import Carried, Stretch, moment, stretches_of
from underspend.core.advisor import Advisor, Claim, Confidence, Finding, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import History, Timeline
from underspend.core.money import Money, show
from underspend.core.usage import Lane

_LARGE_PERCENT = 90
_ENOUGH_TO_JUDGE = 20
"""With fewer results than this there is no telling which of them are large for this user."""

_NEVER_LARGE = 1_000
"""Tokens below which a result is not large, however small this user's others are."""

_ROWS = 100
_LABEL = 120


class _Stay(NamedTuple):
    timeline: Timeline
    stretch: Stretch
    carried: Carried
    amount: Money

    @property
    def tool(self) -> str:
        return self.carried.use.name if self.carried.use else "unknown"

    @property
    def target(self) -> str:
        return self.carried.use.target if self.carried.use else ""

    @property
    def server(self) -> str | None:
        return self.carried.use.mcp_server if self.carried.use else None


class CarriedResults(Advisor):
    """The residency of tool results: from the call that first sent each one to the last that still held it."""

    __slots__ = ()
    name: ClassVar[str] = "carried-results"

    def advise(self, history: History, around: Surroundings) -> Iterable[Finding]:
        """What the largest results held beyond a limit; for information, with no dollars to save, all of them by tool.

        The limit is the size that nine in ten of this user's own results stay under, at least 1,000 tokens.
        """
        stays = list(_stays(history, around))
        if not sum(stay.amount for stay in stays):
            return
        yield _by_tool(stays)
        servers = [stay for stay in stays if stay.server]
        if servers:
            yield _by_server(servers)
        if len(stays) >= _ENOUGH_TO_JUDGE:
            yield from _large(stays, max(_percentile([stay.carried.tokens for stay in stays]), _NEVER_LARGE))


def _stays(history: History, around: Surroundings) -> Iterator[_Stay]:
    for timeline in history.timelines:
        for stretch in stretches_of(timeline, around):
            for carried in stretch.results:
                yield _Stay(timeline, stretch, carried, stretch.cost(carried))


def _percentile(sizes: list[int]) -> int:
    """The size that nine in ten results do not exceed."""
    ordered = sorted(sizes)
    return ordered[(len(ordered) - 1) * _LARGE_PERCENT // 100]


def _by_tool(stays: list[_Stay]) -> Finding:
    amount = sum(stay.amount for stay in stays)
    groups = _grouped((f"{stay.tool} {stay.target}".strip(), stay) for stay in stays)
    tools = _grouped((stay.tool, stay) for stay in stays)
    return Finding(
        id=f"{CarriedResults.name}/by-tool",
        urgency=Urgency.FYI,
        title=f"Tool results cost {show(amount)} from entering the context until they left it",
        amount=0,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=(
            "A result is paid when it enters and again, at the cache's price, with every later call until a "
            "compaction, /clear or the end. Tokens are estimated from sizes, at most what the prompt grew by. This is "
            "where the money lay, not what could be saved."
        ),
        rows=[*_rows("tool", tools), *_rows("use", groups)],
    )


def _by_server(stays: list[_Stay]) -> Finding:
    amount = sum(stay.amount for stay in stays)
    return Finding(
        id=f"{CarriedResults.name}/mcp-servers",
        urgency=Urgency.FYI,
        title=f"Results of MCP servers cost {show(amount)} while they were in the context",
        amount=0,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why="The same as for all tool results, by server and tool.",
        rows=[
            *_rows("server", _grouped((stay.server or "", stay) for stay in stays)),
            *_rows("tool", _grouped((stay.tool, stay) for stay in stays)),
        ],
    )


def _large(stays: list[_Stay], limit: int) -> Iterator[Finding]:
    large = [stay for stay in stays if stay.carried.tokens > limit]
    spent = [(money, stay) for stay in large if (money := stay.stretch.cost(stay.carried, limit))]
    if not spent:
        return
    spent.sort(key=lambda each: (-each[0], each[1].carried.result.at, each[1].carried.result.use_id))
    totals = _totals(large, limit)
    amount = sum(totals.values())
    yield Finding(
        id=f"{CarriedResults.name}/large",
        urgency=Urgency.HABIT,
        title=f"{len(spent)} large tool results cost {show(amount)} for what they held beyond {limit:,} tokens",
        amount=amount,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=(
            f"At least nine in ten of your tool results have at most {limit:,} tokens. The amount is what the tokens "
            "beyond that cost in the larger ones, from entering the context until they left it: what a read with a "
            "limit, a search or a filtered command would have left out, had the first part been enough."
        ),
        fix=(
            "Add to CLAUDE.md: Search (Grep) before reading; read long files with offset and limit; pipe long command "
            "output through head, tail or grep. For Bash and MCP output, BASH_MAX_OUTPUT_LENGTH and "
            'MAX_MCP_OUTPUT_TOKENS in "env" of settings.json set the limit.'
        ),
        claims=[
            Claim(message_id=message, lane=lane, amount=money) for (message, lane), money in totals.items() if money
        ],
        rows=[_row(stay, money) for money, stay in spent[:_ROWS]],
    )


def _totals(large: Iterable[_Stay], limit: int) -> dict[tuple[str, Lane], Money]:
    """What the tokens of large results after the first `limit` cost, by reply and lane."""
    totals: dict[tuple[str, Lane], Money] = defaultdict(int)
    together: dict[int, list[_Stay]] = defaultdict(list)
    for stay in large:
        together[id(stay.stretch)].append(stay)
    for stays in together.values():
        for step, lane, money in stays[0].stretch.sums((stay.carried for stay in stays), limit):
            totals[step.reply.message_id, lane] += money
    return totals


def _grouped(pairs: Iterable[tuple[str, _Stay]]) -> dict[str, list[_Stay]]:
    groups: dict[str, list[_Stay]] = defaultdict(list)
    for name, stay in pairs:
        groups[name].append(stay)
    return groups


def _rows(kind: str, groups: dict[str, list[_Stay]]) -> list[dict[str, str | int]]:
    """The groups, dearest first."""
    sums = [(sum(stay.amount for stay in group), name, group) for name, group in groups.items()]
    sums.sort(key=lambda each: (-each[0], each[1]))
    return [
        {
            "by": kind,
            "name": name[:_LABEL],
            "results": len(group),
            "tokens": sum(stay.carried.tokens for stay in group),
            "calls carried": sum(stay.carried.left - stay.carried.entered for stay in group),
            "cost": show(money),
        }
        for money, name, group in sums[:_ROWS]
    ]


def _row(stay: _Stay, money: Money) -> dict[str, str | int]:
    return {
        "session": stay.timeline.session,
        "agent": stay.timeline.agent or "",
        "when": moment(stay.carried.result.at),
        "tool": stay.tool,
        "target": stay.target[:_LABEL],
        "tokens": stay.carried.tokens,
        "calls carried": stay.carried.left - stay.carried.entered,
        "cost in all": show(stay.amount),
        "cost beyond limit": show(money),
    }
