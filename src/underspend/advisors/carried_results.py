"""What tool results cost for as long as they stayed in the context."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import ClassVar, NamedTuple

import msgspec

from underspend.advisors.reading import Carried, Rows, Stretch, first, moment, stretches_of
from underspend.core.advisor import Advisor, Claimed, Confidence, Finding, Seen, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import History, Timeline, ToolUse
from underspend.core.money import Money, show

LARGE = 2_000
"""Tokens beyond which a result is large: about 7,000 characters or 200 lines. Nine in ten results of the sessions that
this was measured on stay below it. It is the same for everybody, so that one new session never changes what was found
in the old ones."""

_ROWS = 100
_LABEL = 120
_ID = "carried-results/large"
_Sums = dict[str, tuple[int, int, int, Money]]
"""By name: results, tokens, calls that carried them, dollars."""


class Large(msgspec.Struct, array_like=True, gc=False):
    """A large result as evidence: `cost` in all, `beyond` for what it held beyond the limit."""

    session: str
    agent: str
    at: int
    use_id: str
    tool: str
    target: str
    tokens: int
    calls: int
    cost: Money
    beyond: Money

    def order(self) -> tuple[object, ...]:
        """The dearest first."""
        return -self.beyond, self.at, self.use_id


class CarriedFacts(msgspec.Struct, array_like=True, gc=False):
    """Results by tool and by single use (packed: there are many, and few look at them), and large ones.

    `large` are the first `_ROWS` of `large_count`; `beyond` is what all of them cost beyond the limit.
    """

    tools: _Sums
    uses: msgspec.Raw
    use_count: int
    large: list[Large]
    large_count: int
    beyond: Money


class _Stay(NamedTuple):
    timeline: Timeline
    stretch: Stretch
    carried: Carried
    amount: Money

    @property
    def tool(self) -> str:
        return self.carried.use.name if self.carried.use else "unknown"


class CarriedResults(Advisor[CarriedFacts]):
    """The residency of tool results: from the call that first sent each one to the last that still held it."""

    __slots__ = ()
    name: ClassVar[str] = "carried-results"
    facts: ClassVar[type] = CarriedFacts

    def look(self, history: History, around: Surroundings) -> Seen | None:
        """All results by what they cost, and the large ones."""
        tools: dict[str, _Sum] = {}
        uses: dict[str, _Sum] = {}
        stays: list[_Stay] = []
        claims: list[Claimed] = []
        for timeline in history.timelines:
            for stretch in stretches_of(timeline, around):
                here = _look_at(timeline, stretch, tools, uses)
                if here:
                    stays += here
                    claims += stretch.claims([stay.carried for stay in here], LARGE)
        if not tools:
            return None
        large = [_large(stay, beyond) for stay in stays if (beyond := stay.stretch.cost(stay.carried, LARGE))]
        facts = CarriedFacts(
            tools={name: (*row,) for name, row in tools.items()},  # type: ignore[misc]  # four, as `_Sum` says
            uses=msgspec.Raw(msgspec.msgpack.encode(uses)),
            use_count=len(uses),
            large=first([large], Large.order, _ROWS),
            large_count=len(large),
            beyond=sum(amount for _, _, amount in claims),
        )
        return Seen(facts, {_ID: claims})

    def sum_up(self, facts: Sequence[CarriedFacts], around: Surroundings) -> Iterable[Finding]:
        """What the largest results held beyond a limit; for information, with no dollars to save, all of them by tool.

        The limit is `LARGE`.
        """
        del around
        tools = _added(each.tools for each in facts)
        if not _cost(tools):
            return
        yield _by_tool(tools, facts)
        if any(_server(name) for name in tools):
            yield _by_server(tools)
        if any(each.large_count for each in facts):
            yield _beyond(facts)


_Sum = list[int]
"""A row of `_Sums` while it is being added up."""


def _look_at(timeline: Timeline, stretch: Stretch, tools: dict[str, _Sum], uses: dict[str, _Sum]) -> list[_Stay]:
    """The large results of a stretch; all of them are counted in."""
    large = []
    for carried in stretch.results:
        amount, use, tokens = stretch.cost(carried), carried.use, carried.tokens
        tool, name = ("unknown", "unknown") if use is None else (use.name, f"{use.name} {use.target}".strip())
        calls = carried.left - carried.entered
        for sums, key in ((tools, tool), (uses, name)):
            row = sums.get(key)
            if row is None:
                sums[key] = [1, tokens, calls, amount]
            else:
                row[0] += 1
                row[1] += tokens
                row[2] += calls
                row[3] += amount
        if tokens > LARGE:
            large.append(_Stay(timeline, stretch, carried, amount))
    return large


def _count(sums: _Sums, name: str, more: tuple[int, int, int, Money]) -> None:
    known = sums.get(name)
    if known is None:
        sums[name] = more
    else:
        results, tokens, calls, cost = known
        sums[name] = (results + more[0], tokens + more[1], calls + more[2], cost + more[3])


def _added(parts: Iterable[_Sums]) -> _Sums:
    found: _Sums = {}
    for name, more in chain.from_iterable(part.items() for part in parts):
        _count(found, name, more)
    return found


def _large(stay: _Stay, beyond: Money) -> Large:
    return Large(
        session=stay.timeline.session,
        agent=stay.timeline.agent or "",
        at=stay.carried.result.at,
        use_id=stay.carried.result.use_id,
        tool=stay.tool,
        target=stay.carried.use.target[:_LABEL] if stay.carried.use else "",
        tokens=stay.carried.tokens,
        calls=stay.carried.left - stay.carried.entered,
        cost=stay.amount,
        beyond=beyond,
    )


def _by_tool(tools: _Sums, facts: Sequence[CarriedFacts]) -> Finding:
    uses = max(each.use_count for each in facts)
    if uses < _ROWS:
        uses = min(len(_uses(facts)), _ROWS)
    count = min(len(tools), _ROWS) + min(uses, _ROWS)
    return Finding(
        id=f"{CarriedResults.name}/by-tool",
        urgency=Urgency.FYI,
        title=f"Tool results cost {show(_cost(tools))} from entering the context until they left it",
        amount=0,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=(
            "A result is paid when it enters and again, at the cache's price, with every later call until a "
            "compaction, /clear or the end. Tokens are estimated from sizes, at most what the prompt grew by. This is "
            "where the money lay, not what could be saved."
        ),
        rows=Rows(count, lambda: [*_rows("tool", tools), *_rows("use", _uses(facts))]),
    )


def _uses(facts: Iterable[CarriedFacts]) -> _Sums:
    return _added(msgspec.msgpack.decode(each.uses, type=_Sums) for each in facts)


def _cost(sums: Mapping[str, tuple[int, int, int, Money]]) -> Money:
    return sum(cost for _, _, _, cost in sums.values())


def _server(tool: str) -> str | None:
    return ToolUse(id="", name=tool).mcp_server


def _by_server(tools: _Sums) -> Finding:
    own = {name: sums for name, sums in tools.items() if _server(name)}
    servers = _added({_server(name) or "": sums} for name, sums in own.items())
    return Finding(
        id=f"{CarriedResults.name}/mcp-servers",
        urgency=Urgency.FYI,
        title=f"Results of MCP servers cost {show(_cost(servers))} while they were in the context",
        amount=0,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why="The same as for all tool results, by server and tool.",
        rows=[*_rows("server", servers), *_rows("tool", own)],
    )


def _beyond(facts: Sequence[CarriedFacts]) -> Finding:
    amount = sum(each.beyond for each in facts)
    return Finding(
        id=_ID,
        urgency=Urgency.HABIT,
        title=(
            f"{sum(each.large_count for each in facts)} large tool results cost {show(amount)} for what they held "
            f"beyond {LARGE:,} tokens"
        ),
        amount=amount,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=(
            f"Most tool results have far fewer than {LARGE:,} tokens. The amount is what the tokens beyond that cost "
            "in the larger ones, from entering the context until they left it: what a read with a limit, a search or "
            "a filtered command would have left out, had the first part been enough."
        ),
        fix=(
            "Add to CLAUDE.md: Search (Grep) before reading; read long files with offset and limit; pipe long command "
            "output through head, tail or grep. For Bash and MCP output, BASH_MAX_OUTPUT_LENGTH and "
            'MAX_MCP_OUTPUT_TOKENS in "env" of settings.json set the limit.'
        ),
        claimed=(_ID,),
        rows=[_row(each) for each in first((each.large for each in facts), Large.order, _ROWS)],
    )


def _rows(kind: str, sums: _Sums) -> list[dict[str, str | int]]:
    """The groups, dearest first."""
    ordered = sorted(sums.items(), key=lambda each: (-each[1][3], each[0]))
    return [
        {
            "by": kind,
            "name": name[:_LABEL],
            "results": results,
            "tokens": tokens,
            "calls carried": calls,
            "cost": show(cost),
        }
        for name, (results, tokens, calls, cost) in ordered[:_ROWS]
    ]


def _row(each: Large) -> dict[str, str | int]:
    return {
        "session": each.session,
        "agent": each.agent,
        "when": moment(each.at),
        "tool": each.tool,
        "target": each.target,
        "tokens": each.tokens,
        "calls carried": each.calls,
        "cost in all": show(each.cost),
        "cost beyond limit": show(each.beyond),
    }
