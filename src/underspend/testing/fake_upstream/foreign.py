"""Fake upstreams of other dialects than Anthropic's: OpenAI's Chat and Responses, and Gemini.

They share nothing with the translators: requests are checked and replies written by the providers' own documents, so
that a translator's fault cannot hide behind the same fault here.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec
from aiohttp import web

from underspend.testing.fake_upstream.faults import Fault

Json: TypeAlias = dict[str, Any]
_SHUTDOWN_SECONDS = 0.2
_BAD, _OK = 400, 200


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool: its name and its arguments."""

    name: str
    arguments: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One reply: words, then calls of tools. Token counts are as the provider reports them.

    `prompt` includes what was `cached`. `cut_after` breaks the stream off behind so many events; `length` says that the
    reply ran into its limit.
    """

    text: str = ""
    calls: Sequence[ToolCall] = ()
    prompt: int = 100
    cached: int = 0
    output: int = 20
    thinking: int = 0
    cut_after: int | None = None
    length: bool = False


Answer: TypeAlias = Turn | Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One request as it came."""

    path: str
    query: str
    headers: dict[str, str] = field(repr=False)
    body: Json = field(repr=False)
    raw: bytes = field(repr=False)
    rounds: int = 0
    """Rounds of tool calls in the conversation since the user's last words."""


Script: TypeAlias = Callable[[Heard], Answer]


class BadRequestError(Exception):
    """A request that the provider would refuse with a 400."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a dialect is served: what a request must be, and how a turn and an error are written."""

    check: Callable[[str, Json], None]
    rounds: Callable[[Json], int]
    streams: Callable[[str, Json], bool]
    model: Callable[[str, Json], str]
    whole: Callable[[Turn, str, str, Json], Json]
    events: Callable[[Turn, str, str, Json], list[bytes]]
    error: Callable[[int, str], Json]


def rounds_of(*rounds: ToolCall | Sequence[ToolCall], final: str = "Done.") -> Script:
    """A script that leads a client through rounds of tool calls, by what its conversation shows."""
    steps = [[each] if isinstance(each, ToolCall) else list(each) for each in rounds]

    def script(heard: Heard) -> Answer:
        done = heard.rounds
        return Turn(calls=steps[done]) if done < len(steps) else Turn(text=final)

    return script


def in_order(*answers: Answer, then: Answer | None = None) -> Script:
    """A script that gives answers in order, then always the last, or `then`."""
    queue = itertools.chain(answers, itertools.repeat(then or answers[-1]))
    return lambda _: next(queue)


class ForeignUpstream:
    """A running server of one format: `requests` are what it heard, `script` may be changed at any time."""

    def __init__(self, form: Format, script: Script | None = None) -> None:
        self.script: Script = script or (lambda _: Turn(text="Hello."))
        self.requests: list[Heard] = []
        self.refused: list[str] = []
        self._form = form
        self._numbers = itertools.count(1)
        self._runner: web.ServerRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """The origin, without a path."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Serves on a free port until `stop`."""
        server = web.Server(self._handle, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Closes the socket and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        raw = await request.read()
        try:
            body = msgspec.json.decode(raw)
            self._form.check(request.path, body)
        except (msgspec.DecodeError, BadRequestError) as error:
            self.refused.append(str(error))
            return web.json_response(self._form.error(_BAD, str(error)), status=_BAD)
        heard = Heard(
            path=request.path,
            query=request.query_string,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body,
            raw=raw,
            rounds=self._form.rounds(body),
        )
        self.requests.append(heard)
        answer = self.script(heard)
        if isinstance(answer, Fault):
            said = self._form.error(answer.status, answer.message or "the provider said no")
            return web.json_response(said, status=answer.status, headers=answer.extra_headers())
        return await self._answer(request, heard, answer)

    async def _answer(self, request: web.BaseRequest, heard: Heard, turn: Turn) -> web.StreamResponse:
        name, model = f"fake{next(self._numbers):06d}", self._form.model(heard.path, heard.body)
        if not self._form.streams(request.path_qs, heard.body):
            return web.json_response(
                self._form.whole(turn, name, model, heard.body), headers={"x-request-id": f"req_{name}"}
            )
        response = web.StreamResponse(
            headers={"content-type": "text/event-stream; charset=utf-8", "x-request-id": f"req_{name}"}
        )
        await response.prepare(request)
        for number, event in enumerate(self._form.events(turn, name, model, heard.body), 1):
            await response.write(event)
            if number == turn.cut_after and request.transport is not None:
                request.transport.close()
                return response
        await response.write_eof()
        return response


@contextlib.contextmanager
def foreign_in_thread(form: Format, script: Script | None = None) -> Iterator[ForeignUpstream]:
    """A fake of another format, served from a thread of its own."""
    up = ForeignUpstream(form, script)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="foreign-upstream", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(up.start(), loop).result()
        yield up
    finally:
        asyncio.run_coroutine_threadsafe(up.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def demand(whether: object, problem: str) -> None:
    """Raises BadRequestError where something is not as the provider wants it."""
    if not whether:
        raise BadRequestError(problem)


def pieces(text: str, size: int = 12) -> list[str]:
    """A text in pieces, as a stream has it."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def event(data: Json | str, name: str | None = None) -> bytes:
    """One server-sent event."""
    body = data.encode() if isinstance(data, str) else msgspec.json.encode(data)
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + body + b"\n\n"
