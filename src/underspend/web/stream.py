"""`/_/live`: calls as server-sent events while they open and settle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from underspend.reports import figures
from underspend.reports.entry import Entry, entry
from underspend.reports.filters import OPEN
from underspend.reports.shapes import dumps, entry_shape
from underspend.web.http import Receive, Send, headers
from underspend.web.site import Site

_Write: TypeAlias = Callable[[bytes], Awaitable[None]]
BEAT_SECONDS = 15


class _GoneError(Exception):
    """The listener went away."""


class _OverError(Exception):
    """The feed has ended: the gateway stops."""


async def stream(site: Site, receive: Receive, send: Send) -> None:
    """Events `call` with the shape of `reports.shapes.entry_shape` and, under `shown`, its figures in words.

    A comment is sent every 15 seconds so that neither side takes a quiet gateway for a dead one. Ends when the
    listener goes, or properly when the feed does: a page left open may not keep the gateway from stopping.
    """
    lines = headers("text/event-stream", {"x-accel-buffering": "no"})
    await send({"type": "http.response.start", "status": 200, "headers": lines})
    lock = asyncio.Lock()

    async def write(text: bytes) -> None:
        async with lock:
            await send({"type": "http.response.body", "body": text, "more_body": True})

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_leave(receive))
            tasks.create_task(_beat(write))
            tasks.create_task(_tell(site, write))
    except* (_GoneError, OSError):
        pass
    except* _OverError:
        await send({"type": "http.response.body", "body": b""})


async def _leave(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise _GoneError


async def _beat(write: _Write) -> None:
    while True:
        await write(b": listening\n\n")
        await asyncio.sleep(BEAT_SECONDS)


async def _tell(site: Site, write: _Write) -> None:
    async for row in site.live.subscribe():
        await write(event(row, site))
    raise _OverError


def event(row: Mapping[str, object], site: Site) -> bytes:
    """One server-sent event of a published row."""
    call = entry(row)
    shape = {**entry_shape(call), "shown": shown(call, site)}
    return b"event: call\ndata: " + dumps(shape) + b"\n\n"


def shown(call: Entry, site: Site) -> dict[str, str]:
    """A call's figures in words, for a row of the live table."""
    going = call.state == OPEN
    return {
        "time": figures.hour_and_minute(call.started_at, site.tz),
        "model": call.model or figures.NONE,
        "who": who(call),
        "prompt": figures.NONE if going else figures.tokens(call.tokens.prompt),
        "read": figures.NONE if going else figures.share(call.tokens.cache_read, call.tokens.prompt),
        "output": figures.NONE if going else figures.tokens(call.tokens.output),
        "length": "…" if going else figures.length(call.duration_us),
        "paid": "…" if going else figures.paid(call),
        "end": ending(call),
    }


def who(call: Entry) -> str:
    """The project and what the call is to its session."""
    parts = [call.project, call.agent_type or (call.role if call.role not in ("main", "unknown") else None)]
    return " · ".join(part for part in parts if part) or figures.short(call.session)


def ending(call: Entry) -> str:
    """How the call ended, where that was not as it should."""
    if call.state == OPEN:
        return "open"
    if call.answered:
        return "from the cache"
    if call.outcome not in (None, "ok"):
        return f"{call.outcome} {call.status}" if call.outcome == "error" and call.status else str(call.outcome)
    return "estimated" if call.guessed else ""
