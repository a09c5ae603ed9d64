"""The client's snapshots of its prompt → what stands in every prompt of a session, with its size."""

from __future__ import annotations

import re

import msgspec

from underspend.core.history import AlwaysLoaded
from underspend.formats.lenient import Json, items, obj, text

_HEADING = re.compile(r"^#+\s*(.+?)\s*$", re.MULTILINE)


def always_loaded(session: str, data: Json) -> list[AlwaysLoaded]:
    """What an attachment says is always in the prompt; nothing for the others."""
    kind = data.get("type")
    if kind == "prompt_snapshot":
        return [*_system(session, data), *_tools(session, data)]
    if kind == "skill_listing":
        return _listed(session, "skill", data.get("names"), _lines(data.get("content")))
    if kind == "agent_listing_delta":
        return _listed(session, "agent", data.get("addedTypes"), data.get("addedLines"))
    if kind == "instructions":
        return _instructions(session, data)
    return []


def _system(session: str, data: Json) -> list[AlwaysLoaded]:
    sections = data.get("systemPrompt")
    texts = [item for item in sections if isinstance(item, str)] if isinstance(sections, list) else []
    prefix = text(data.get("cliPrefix"))
    found = [AlwaysLoaded(session=session, kind="system", name="prefix", size=len(prefix))] if prefix else []
    for number, section in enumerate(texts, start=1):
        heading = _HEADING.search(section)
        name = f"{number} {heading.group(1)[:60]}" if heading else str(number)
        found.append(AlwaysLoaded(session=session, kind="system", name=name, size=len(section)))
    return found


def _tools(session: str, data: Json) -> list[AlwaysLoaded]:
    found = []
    for tool in items(data.get("tools")):
        name = text(tool.get("name"))
        if name:
            kind = "mcp_tool" if name.startswith("mcp__") else "tool"
            found.append(AlwaysLoaded(session=session, kind=kind, name=name, size=_size(tool)))
    return found


def _listed(session: str, kind: str, names: object, lines: object) -> list[AlwaysLoaded]:
    if not isinstance(names, list):
        return []
    sizes = [len(line) for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
    if len(sizes) != len(names):
        sizes = [sum(sizes) // max(1, len(names))] * len(names)
    pairs = zip(names, sizes, strict=True)
    return [AlwaysLoaded(session=session, kind=kind, name=name, size=size) for name, size in pairs if text(name)]


def _lines(content: object) -> list[str]:
    return content.splitlines() if isinstance(content, str) else []


def _instructions(session: str, data: Json) -> list[AlwaysLoaded]:
    files = items(data.get("files")) or items(data.get("instructions")) or [data]
    found = []
    for file in files:
        content = file.get("content")
        inner = content if isinstance(content, str) else text(obj(content).get("content")) or text(file.get("text"))
        if inner:
            name = text(file.get("path")) or text(file.get("filename")) or "CLAUDE.md"
            found.append(AlwaysLoaded(session=session, kind="claude_md", name=name, size=len(inner)))
    return found


def _size(value: object) -> int:
    return len(msgspec.json.encode(value).decode())
