"""Tools and MCP servers that are in every prompt and were never used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import ClassVar

import msgspec

from underspend.advisors.claimed import Claimed
from underspend.advisors.reading import replies_of
from underspend.advisors.resends import FRONT, Resends
from underspend.advisors.rule_data import rules
from underspend.core.advisor import Advisor, Confidence, Finding, Seen, Surroundings, Urgency
from underspend.core.advisor import Claimed as Claim
from underspend.core.evidence import Evidence
from underspend.core.history import History, Timeline, ToolUse
from underspend.core.money import Money, scale, show
from underspend.tokens.estimate import tokens_in

TOOL, MCP_TOOL = "tool", "mcp_tool"

_WHY = (
    "Their definitions stand at the front of every prompt: written once a session, read with every reply. The dollars"
    " are their size in tokens (estimated from characters) at what your own replies in {sessions} sessions were billed"
    " for that part of the prompt; sub-agents are left out. Not once in this history was one of them called."
)
_SERVER_FIX = (
    "Take {server} out of .mcp.json (or: claude mcp remove {server}), between sessions. To keep it at hand without its"
    ' definitions, set "ENABLE_TOOL_SEARCH": "true" in the env of settings.json: tools are then loaded when asked for.'
)
_OWN_FIX = 'In settings.json: "permissions": {{"deny": [{names}]}}; a bare name takes the tool out of the prompt.'


class ToolFacts(msgspec.Struct, array_like=True, gc=False):
    """Tools in the recorded prompts: characters by session and name, those used, and what carrying them cost.

    `servers` are the dollars of each MCP server not used here, `own` by session those of the client's own tools that
    were not used here.
    """

    sizes: dict[str, dict[str, int]]
    used: set[str]
    servers: dict[str, Money]
    own: dict[str, Money]


class UnusedTools(Advisor[ToolFacts]):
    """One finding per MCP server never used, and one for the client's own tools; where the prompt is known."""

    __slots__ = ()
    name: ClassVar[str] = "unused-tools"
    facts: ClassVar[type] = ToolFacts

    def look(self, history: History, around: Surroundings) -> Seen | None:
        """What is used, and what carrying the rest cost."""
        used = {tool.name for line in history.timelines for reply in replies_of(line, around) for tool in reply.tools}
        carried = CarriedTools(history, around)
        facts, claims = ToolFacts(carried.sizes, used, {}, {}), dict[str, list[Claim]]()
        servers, own = _by_server(carried.sizes)
        for server, names in servers.items():
            if used.isdisjoint(names):
                claimed = Claimed(around.bills)
                carried.claim(names, claimed)
                facts.servers[server], claims[f"{self.name}/{server}"] = claimed.total, claimed.all()
        for session in carried.sizes:
            claimed = Claimed(around.bills)
            carried.claim(_unneeded(own, used), claimed, {session})
            facts.own[session], claims[_of_session(session)] = claimed.total, claimed.all()
        return Seen(facts, claims)

    def sum_up(self, facts: Sequence[ToolFacts], around: Surroundings) -> Iterable[Finding]:
        """Servers first; nothing for sessions whose prompt was not recorded."""
        del around
        sizes = {session: known for each in facts for session, known in each.sizes.items()}
        used = {name for each in facts for name in each.used}
        servers, own = _by_server(sizes)
        for server, names in sorted(servers.items()):
            if used.isdisjoint(names):
                amount = sum(each.servers.get(server, 0) for each in facts)
                yield from _finding(server, names, sizes, amount, (f"{self.name}/{server}",))
        never = _unneeded(own, used)
        carriers = [session for session in sizes if _tokens(sizes[session], never)]
        amount = sum(_of_never(each, never) for each in facts)
        yield from _finding(None, never, sizes, amount, tuple(map(_of_session, carriers)))


def _by_server(sizes: Mapping[str, Mapping[str, int]]) -> tuple[dict[str, set[str]], set[str]]:
    """The tools of each MCP server, and the client's own."""
    servers: dict[str, set[str]] = defaultdict(set)
    own: set[str] = set()
    for tool in {tool for tools in sizes.values() for tool in tools}:
        server = server_of(tool)
        if server:
            servers[server].add(tool)
        else:
            own.add(tool)
    return servers, own


def _unneeded(own: AbstractSet[str], used: AbstractSet[str]) -> set[str]:
    return {tool for tool in own if tool not in used and tool not in rules("unused_tools")["keep"]}


def _of_session(session: str) -> str:
    return f"{UnusedTools.name}/built-in@{session}"


def _of_never(facts: ToolFacts, never: AbstractSet[str]) -> Money:
    """What of the claims is for tools that were used nowhere else either."""
    total = 0
    for session, amount in facts.own.items():
        known = facts.sizes[session]
        claimed = _tokens(known, _unneeded(known.keys() - _servers_tools(known), facts.used))
        total += scale(amount, _tokens(known, never), claimed) if claimed else 0
    return total


def _servers_tools(known: Iterable[str]) -> set[str]:
    return {tool for tool in known if server_of(tool)}


def _tokens(known: Mapping[str, int], tools: AbstractSet[str]) -> int:
    return tokens_in(sum(size for name, size in known.items() if name in tools))


def server_of(tool: str) -> str | None:
    """The MCP server of a tool's name."""
    return ToolUse(id="", name=tool).mcp_server


class CarriedTools:
    """The definitions that stood in prompts, as the client recorded them.

    `sizes` are characters by session and name.
    """

    def __init__(self, history: History, around: Surroundings) -> None:
        self.sizes: dict[str, dict[str, int]] = {}
        for loaded in history.always_loaded:
            if loaded.kind in {TOOL, MCP_TOOL}:
                known = self.sizes.setdefault(loaded.session, {})
                known[loaded.name] = max(known.get(loaded.name, 0), loaded.size)
        self._lines: dict[str, list[Timeline]] = defaultdict(list)
        for line in history.timelines:
            # Sub-agents have tool lists of their own, which the session's snapshot does not show.
            if line.agent is None:
                self._lines[line.session].append(line)
        self._resends = Resends(around.bills)

    def claim(self, tools: AbstractSet[str], claimed: Claimed, sessions: Collection[str] | None = None) -> list[str]:
        """Claim what carrying some tools cost (in some sessions); gives the sessions that did."""
        carriers = []
        for session, known in self.sizes.items():
            tokens = _tokens(known, tools)
            if tokens and (sessions is None or session in sessions):
                carriers.append(session)
                self._resends.claim(self._lines.get(session, ()), tokens, claimed, reach=FRONT)
        return carriers


def _finding(
    server: str | None,
    tools: AbstractSet[str],
    sizes: Mapping[str, Mapping[str, int]],
    amount: Money,
    claimed: Sequence[str],
) -> Iterator[Finding]:
    sessions = [session for session, known in sizes.items() if _tokens(known, tools)]
    limits = rules("unused_tools")
    if not sessions or (server is None and len(sessions) < limits["sessions_to_judge_the_clients_own"]):
        return
    names = ", ".join(f'"{tool}"' for tool in sorted(tools))
    what = f"MCP server {server}" if server else f"{len(tools)} of the client's own tools"
    yield Finding(
        id=f"{UnusedTools.name}/{server or 'built-in'}",
        urgency=Urgency.FIX_NOW,
        title=f"{what}: in every prompt of {len(sessions)} sessions, never used",
        amount=amount,
        confidence=Confidence.LOW if len(sessions) < limits["sessions_to_be_sure"] else Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=_WHY.format(sessions=len(sessions)),
        fix=_SERVER_FIX.format(server=server) if server else _OWN_FIX.format(names=names),
        claimed=claimed,
        rows=tuple(_rows(tools, [sizes[session] for session in sessions], amount)),
    )


def _rows(
    tools: Collection[str], sizes: Sequence[Mapping[str, int]], total: Money
) -> Iterator[Mapping[str, str | int]]:
    """Each tool with its part of the whole, by size."""
    held = {tool: [known[tool] for known in sizes if tool in known] for tool in tools}
    whole = sum(sum(each) for each in held.values())
    for tool, each in sorted(held.items(), key=lambda pair: (-sum(pair[1]), pair[0])):
        yield {
            "tool": tool,
            "tokens": tokens_in(max(each, default=0)),
            "sessions": len(each),
            "usd": show(scale(total, sum(each), whole) if whole else 0),
        }
