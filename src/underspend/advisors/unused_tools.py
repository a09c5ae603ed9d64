"""Tools and MCP servers that are in every prompt and were never used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from underspend.advisors.claimed import Claimed
from underspend.advisors.resends import resend_all
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
        sizes = tool_sizes(history)
        used = {tool.name for _, reply in history.replies() for tool in reply.tools}
        servers: dict[str, set[str]] = defaultdict(set)
        own: set[str] = set()
        for tools in sizes.values():
            for tool in tools:
                server = server_of(tool)
                if server:
                    servers[server].add(tool)
                elif tool not in used:
                    own.add(tool)
        for server, names in sorted(servers.items()):
            if used.isdisjoint(names):
                yield from _finding(server, names, sizes, history, around)
        keep = rules("unused_tools")["keep"]
        yield from _finding(None, own.difference(keep), sizes, history, around)


def server_of(tool: str) -> str | None:
    """The MCP server of a tool's name."""
    return ToolUse(id="", name=tool).mcp_server


def tool_sizes(history: History) -> dict[str, dict[str, int]]:
    """Characters of every tool's definition by session and name, as the client recorded them."""
    sizes: dict[str, dict[str, int]] = defaultdict(dict)
    for loaded in history.always_loaded:
        if loaded.kind in {TOOL, MCP_TOOL}:
            known = sizes[loaded.session]
            known[loaded.name] = max(known.get(loaded.name, 0), loaded.size)
    return sizes


def main_loops(history: History) -> Mapping[str, Sequence[Timeline]]:
    """The main loops' timelines by session."""
    lines: dict[str, list[Timeline]] = defaultdict(list)
    for line in history.timelines:
        if line.agent is None:
            lines[line.session].append(line)
    return lines


def claim_tools(
    tools: Iterable[str], sizes: Mapping[str, Mapping[str, int]], history: History, claimed: Claimed
) -> dict[str, int]:
    """Claim what carrying some tools cost; gives the tokens they took by session."""
    wanted, lines, carried = set(tools), main_loops(history), {}
    for session, known in sizes.items():
        tokens = tokens_in(sum(size for name, size in known.items() if name in wanted))
        if tokens:
            carried[session] = tokens
            # Tools come first in a prompt: whatever was read from the cache, they were.
            resend_all(lines.get(session, ()), tokens, claimed, reach=1)
    return carried


def _finding(
    server: str | None, tools: set[str], sizes: Mapping[str, Mapping[str, int]], history: History, around: Surroundings
) -> Iterator[Finding]:
    claimed = Claimed(around.bills)
    carried = claim_tools(tools, sizes, history, claimed)
    limits = rules("unused_tools")
    if not carried or (server is None and len(carried) < limits["sessions_to_judge_the_clients_own"]):
        return
    names = ", ".join(f'"{tool}"' for tool in sorted(tools))
    what = f"MCP server {server}" if server else f"{len(tools)} of the client's own tools"
    yield Finding(
        id=f"{UnusedTools.name}/{server or 'built-in'}",
        urgency=Urgency.FIX_NOW,
        title=f"{what}: in every prompt of {len(carried)} sessions, never used",
        amount=claimed.total,
        confidence=Confidence.LOW if len(carried) < limits["sessions_to_be_sure"] else Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=_WHY.format(sessions=len(carried)),
        fix=_SERVER_FIX.format(server=server) if server else _OWN_FIX.format(names=names),
        claims=claimed.claims(),
        rows=tuple(_rows(tools, sizes, carried, claimed.total)),
    )


def _rows(
    tools: set[str], sizes: Mapping[str, Mapping[str, int]], carried: Mapping[str, int], total: Money
) -> Iterator[Mapping[str, str | int]]:
    """Each tool with its part of the whole, by size."""
    held = {tool: sum(sizes[session].get(tool, 0) for session in carried) for tool in tools}
    whole = sum(held.values())
    for tool, size in sorted(held.items(), key=lambda pair: (-pair[1], pair[0])):
        having = [session for session in carried if tool in sizes[session]]
        yield {
            "tool": tool,
            "tokens": tokens_in(max((sizes[session][tool] for session in having), default=0)),
            "sessions": len(having),
            "usd": show(scale(total, size, whole) if whole else 0),
        }
