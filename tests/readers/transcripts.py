"""Transcripts made for tests: entries as Claude Code writes them, reduced to what is read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

from underspend.core.history import Answered, History, Mark, Result, Timeline, Typed
from underspend.readers.claude_code.extract import extract
from underspend.readers.claude_code.records import Extract, Source, pack, unpack

FIXTURES = Path(__file__).parent / "fixtures"
SESSION = "0a1b2c3d-0000-4000-8000-000000000001"
OTHER = "0a1b2c3d-0000-4000-8000-000000000002"
Json = dict[str, Any]


def usage(**lanes: Any) -> Json:
    return {"input_tokens": 1, "output_tokens": 10, "cache_read_input_tokens": 100, **lanes}


def assistant(message_id: str | None = "msg_1", *blocks: Json, **more: Any) -> Json:
    message = {
        "id": message_id,
        "role": "assistant",
        "model": "claude-opus-4-6",
        "content": list(blocks) or [{"type": "text", "text": "Hello."}],
        "stop_reason": "end_turn",
        "usage": usage(),
        **more.pop("message", {}),
    }
    return entry("assistant", message=message, **more)


def user(content: Any, **more: Any) -> Json:
    return entry("user", message={"role": "user", "content": content}, **more)


def result(use_id: str, content: Any = "done", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": use_id, "content": content, **more}


def tool(use_id: str, name: str = "Read", **given: Any) -> Json:
    return {"type": "tool_use", "id": use_id, "name": name, "input": given}


def system(subtype: str, **more: Any) -> Json:
    return entry("system", subtype=subtype, **more)


def attachment(**data: Any) -> Json:
    return entry("attachment", attachment=data)


def nested(agent: str, inner: Json, use_id: str = "toolu_task") -> Json:
    message = {name: inner[name] for name in ("type", "message", "uuid", "timestamp")}
    data = {"type": "agent_progress", "agentId": agent, "prompt": "", "message": message}
    return entry("progress", data=data, parentToolUseID=use_id)


_made = 0


def entry(kind: str, **more: Any) -> Json:
    global _made  # noqa: PLW0603  (entries have ids of their own, in the order they are made)
    _made += 1
    return {
        "parentUuid": None,
        "isSidechain": False,
        "type": kind,
        "uuid": f"00000000-0000-4000-8000-{_made:012}",
        "timestamp": f"2026-03-01T10:{_made // 60 % 60:02}:{_made % 60:02}.000Z",
        "cwd": "/home/someone/work",
        "version": "2.1.80",
        "sessionId": SESSION,
        **more,
    }


def line(entry: Json) -> bytes:
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode()


def text(entries: Iterable[Json | bytes]) -> bytes:
    return b"".join((item if isinstance(item, bytes) else line(item)) + b"\n" for item in entries)


def write(folder: Path, name: str, *entries: Json | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text(entries))
    return path


def source(path: str = f"/projects/work/{SESSION}.jsonl", *, is_agent: bool = False) -> Source:
    return Source(path.encode(), "work", 0, 0, 0, is_agent)


def taken(*entries: Json | bytes, path: str | None = None, is_agent: bool = False) -> Extract:
    """What is taken from these entries, as it is after packing."""
    return taken_from(text(entries), path, is_agent=is_agent)


def taken_from(data: bytes, path: str | None = None, *, is_agent: bool = False) -> Extract:
    where = source(path, is_agent=is_agent) if path else source(is_agent=is_agent)
    return unpack(pack(extract(where, BytesIO(data))))


def answered(found: Extract) -> list[Answered]:
    return [reply for part in found.parts for reply in part.answered]


def results(found: Extract) -> list[Result]:
    return [event for part in found.parts for event in part.results]


def typed(found: Extract) -> list[Typed]:
    return [event for part in found.parts for event in part.typed]


def marks(found: Extract) -> list[Mark]:
    return [event for part in found.parts for event in part.marks]


def lanes(replies: Iterable[Answered]) -> dict[str, tuple[int, ...]]:
    """The tokens of each reply."""
    found = {}
    for reply in replies:
        tokens = reply.metered.usage
        found[reply.message_id] = (
            tokens.input,
            tokens.cache_write_5m,
            tokens.cache_write_1h,
            tokens.cache_read,
            tokens.output,
        )
    return found


def timeline(history: History, session: str = SESSION, agent: str | None = None) -> Timeline:
    return next(item for item in history.timelines if item.session == session and item.agent == agent)
