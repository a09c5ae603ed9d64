"""Tools and MCP servers that are in every prompt and were never used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from underspend.advisors.claimed import Claimed
from underspend.advisors.resends import FRONT, Resends
from underspend.advisors.rule_data import rules
from underspend.core.advisor import Advisor, Confidence, Finding, Surroundings, Urgency
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


class UnusedTools(Advisor):
    """One finding per MCP server never used, and one for the client's own tools; where the prompt is known."""

    __slots__ = ()
    name: ClassVar[str] = "unused-tools"

    def advise(self, history: History, around: Surroundings) -> Iterable[Finding]:
        """Servers first; nothing for sessions whose prompt was not recorded."""
        carried = CarriedTools(history, around)
        if not carried.sizes:
            return
        used = {tool.name for _, reply in history.replies() for tool in reply.tools}
        servers: dict[str, set[str]] = defaultdict(set)
        own: set[str] = set()
        for tool in {tool for tools in carried.sizes.values() for tool in tools}:
            server = server_of(tool)
            if server:
                servers[server].add(tool)
            elif tool not in used:
                own.add(tool)
        for server, names in sorted(servers.items()):
            if used.isdisjoint(names):
                yield from _finding(server, names, carried, around)
        yield from _finding(None, own.difference(rules("unused_tools")["keep"]), carried, around)


def server_of(tool: str) -> str | None:
    """The MCP server of a tool's name."""
    return ToolUse(id="", name=tool).mcp_server


class CarriedTools:
    """The definitions that stood in prompts, as the client recorded them.

    `sizes` are characters by session and name.
    """

    def __init__(self, history: History, around: Surroundings) -> None:
        self.sizes: dict[str, dict[str, int]] = defaultdict(dict)
        for loaded in history.always_loaded:
            if loaded.kind in {TOOL, MCP_TOOL}:
                known = self.sizes[loaded.session]
                known[loaded.name] = max(known.get(loaded.name, 0), loaded.size)
        self._lines: dict[str, list[Timeline]] = defaultdict(list)
        for line in history.timelines:
            # Sub-agents have tool lists of their own, which the session's snapshot does not show.
            if line.agent is None:
                self._lines[line.session].append(line)
        self._resends = Resends(around.bills)

    def claim(self, tools: Collection[str], claimed: Claimed, sessions: Collection[str] | None = None) -> list[str]:
        """Claim what carrying some tools cost (in some sessions); gives the sessions that did."""
        carriers = []
        for session, known in self.sizes.items():
            tokens = tokens_in(sum(size for name, size in known.items() if name in tools))
            if tokens and (sessions is None or session in sessions):
                carriers.append(session)
                self._resends.claim(self._lines.get(session, ()), tokens, claimed, reach=FRONT)
        return carriers


def _finding(
    server: str | None, tools: Collection[str], carried: CarriedTools, around: Surroundings
) -> Iterator[Finding]:
    claimed = Claimed(around.bills)
    sessions = carried.claim(tools, claimed)
    limits = rules("unused_tools")
    if not sessions or (server is None and len(sessions) < limits["sessions_to_judge_the_clients_own"]):
        return
    names = ", ".join(f'"{tool}"' for tool in sorted(tools))
    what = f"MCP server {server}" if server else f"{len(tools)} of the client's own tools"
    yield Finding(
        id=f"{UnusedTools.name}/{server or 'built-in'}",
        urgency=Urgency.FIX_NOW,
        title=f"{what}: in every prompt of {len(sessions)} sessions, never used",
        amount=claimed.total,
        confidence=Confidence.LOW if len(sessions) < limits["sessions_to_be_sure"] else Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=_WHY.format(sessions=len(sessions)),
        fix=_SERVER_FIX.format(server=server) if server else _OWN_FIX.format(names=names),
        claims=claimed.claims(),
        rows=tuple(_rows(tools, [carried.sizes[session] for session in sessions], claimed.total)),
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
