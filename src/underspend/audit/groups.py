"""Replies by day, project, model, session, agent type, skill, MCP server and tool.

Every reply is in exactly one group of each kind, so each kind adds up to the totals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from underspend.audit.bills import Billed
from underspend.audit.categories import Category
from underspend.audit.days import Days
from underspend.audit.totals import Counts, Totals, counts_of
from underspend.core.call import Role
from underspend.core.history import Timeline, ToolUse

NO_TOOL = "(no tool)"
NO_SKILL = "(no skill)"
NO_SERVER = "(no MCP server)"
MAIN = "main"
SUBAGENT = "(sub-agent)"

KINDS = ("by_day", "by_session", "by_project", "by_model", "by_agent", "by_skill", "by_mcp_server", "by_tool")


Cells = dict[str, Counts]
"""Counts by the name of a group."""


class Cell(msgspec.Struct, gc=False):
    """Replies that are alike in all that they are grouped by, counted once: far fewer than the replies."""

    day: str
    line: Timeline
    agent: str
    model: str
    skill: str
    tool: str
    kind: Category | None
    counts: Counts


_Alike = tuple[str, int, bool, str, str | None, str, Category | None]


def cells(billed: Iterable[Billed], days: Days, places: Mapping[str, Category]) -> list[Cell]:
    """The cells of a part of the replies; `places` are the categories of their own work by message id."""
    found: dict[_Alike, list[Billed]] = {}
    for each in billed:
        reply, tools = each.reply, each.reply.tools
        tool = tools[0].name if len(tools) == 1 else tool_of(each)
        kind = places.get(reply.message_id)
        key = (days.day(reply.at), id(each.line), reply.nested, each.model, reply.skill, tool, kind)
        known = found.get(key)
        if known is None:
            found[key] = [each]
        else:
            known.append(each)
    return [
        Cell(day, those[0].line, agent_of(those[0]), model, skill or NO_SKILL, tool, kind, counts_of(those))
        for (day, _, _, model, skill, tool, kind), those in found.items()
    ]


def counted(billed: Iterable[Billed], days: Days) -> list[Cells]:
    """What a part of the replies counts in each kind of group, in the order of `KINDS`."""
    return by_kind(cells(billed, days, {}))


def by_kind(found: Iterable[Cell]) -> list[Cells]:
    """What cells count in each kind of group, in the order of `KINDS`."""
    rows = [
        (
            (
                cell.day,
                cell.line.session,
                cell.line.project or "(no project)",
                cell.model,
                cell.agent,
                cell.skill,
                server_of(cell.tool),
                cell.tool,
            ),
            cell.counts,
        )
        for cell in found
    ]
    whole = _summed([row for _, row in rows]) if rows else []
    found_by: list[Cells] = []
    for index in range(len(KINDS)):
        names = {place[index] for place, _ in rows}
        # Most parts are one session of one project, and much else of them is alike too.
        found_by.append(
            dict.fromkeys(names, whole) if len(names) == 1 else added({place[index]: row} for place, row in rows)
        )
    return found_by


def _summed(rows: Sequence[Counts]) -> Counts:
    return [*map(sum, zip(*rows, strict=True))] if len(rows) > 1 else rows[0]


def added(parts: Iterable[Mapping[str, Counts]]) -> Cells:
    """The same groups of several parts, added up."""
    rows: dict[str, list[Counts]] = {}
    for part in parts:
        for name, counts in part.items():
            rows.setdefault(name, []).append(counts)
    return {name: _summed(those) for name, those in rows.items()}


def grouped(parts: Sequence[Sequence[Mapping[str, Counts]]]) -> dict[str, dict[str, Totals]]:
    """Totals by kind of group and by its name, from all parts; days in order, all else the dearest first."""
    found = {}
    for index, kind in enumerate(KINDS):
        cells = {name: Totals.of(counts) for name, counts in added(part[index] for part in parts).items()}
        found[kind] = dict(sorted(cells.items())) if kind == "by_day" else dearest_first(cells)
    return found


def dearest_first(group: Mapping[str, Totals]) -> dict[str, Totals]:
    """The same groups by dollars, then by name."""
    return dict(sorted(group.items(), key=lambda item: (-item[1].cost, -item[1].requests, item[0])))


def agent_of(each: Billed) -> str:
    """Who asked: "main", a sub-agent's type, or the role of what is neither."""
    if each.line.agent_type:
        return each.line.agent_type
    if each.is_agent:
        return SUBAGENT
    return MAIN if each.line.role is Role.MAIN else each.line.role.value


def tool_of(each: Billed) -> str:
    """The tool a reply used; of several the one used most, of equals the first used."""
    tools = each.reply.tools
    if not tools:
        return NO_TOOL
    name = tools[0].name
    if all(use.name == name for use in tools):
        return name
    return Counter(use.name for use in tools).most_common(1)[0][0]


def server_of(tool: str) -> str:
    """The MCP server of the tool a reply is counted under."""
    return (ToolUse(id="", name=tool).mcp_server if "__" in tool else None) or NO_SERVER
