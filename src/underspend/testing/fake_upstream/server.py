"""The fake provider on a loopback socket."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

from underspend.testing.fake_upstream.answered import Headers
from underspend.testing.fake_upstream.bill import Bill
from underspend.testing.fake_upstream.clock import FakeClock
from underspend.testing.fake_upstream.control import ROOT, control
from underspend.testing.fake_upstream.ledger import Ledger, Seen
from underspend.testing.fake_upstream.limits import Limits
from underspend.testing.fake_upstream.prices import PriceSource
from underspend.testing.fake_upstream.provider import Provider, default_provider
from underspend.testing.fake_upstream.script import Script
from underspend.testing.fake_upstream.view import RequestView
from underspend.testing.fake_upstream.wire import Sender

ORGANIZATION = "00000000-fa4e-4000-8000-000000000000"
_SHUTDOWN_SECONDS = 0.2
_HEADER_LIMIT = 1 << 20


@dataclass(kw_only=True)
class Options:
    """How a fake upstream behaves.

    `port` 0 takes a free one. `prefix` stands before `/v1` and `/api`. `workspaces` maps credentials to
    workspaces; without it each credential is its own, and `key@team` belongs to `team`. `serve_unknown` answers
    for models that are not on the price list instead of 404. `max_prompt_tokens` lowers every context window.
    `batch_seconds` is how long a batch takes on the clock, None until it is ended by hand. `bill_aborts` says
    whether a cut stream is billed for what was sent or for the whole generation. `bind_thinking` refuses thinking
    blocks under another model or an edited history, where the model does. `tag` goes into every id.
    """

    host: str = "127.0.0.1"
    port: int = 0
    prefix: str = ""
    clock: FakeClock = field(default_factory=FakeClock)
    prices: PriceSource | None = None
    limits: Limits = field(default_factory=Limits)
    workspaces: Mapping[str, str] = field(default_factory=dict)
    keep_bodies: bool = False
    serve_unknown: bool = False
    max_prompt_tokens: int | None = None
    batch_seconds: float | None = 0
    bind_thinking: bool = False
    bill_aborts: Literal["streamed", "whole"] = "streamed"
    organization: str = ORGANIZATION
    tag: str = field(default_factory=lambda: f"fake{secrets.token_hex(4)}")


class FakeUpstream:
    """A running Messages API: `async with FakeUpstream(script, port=0) as up`, then talk to `up.url`.

    Keywords are the fields of `Options`. `requests` is the ledger of truth; `script` may be changed at any time.
    """

    def __init__(self, script: Script | None = None, **options: Any) -> None:
        self.options = Options(**options)
        self.clock = self.options.clock
        self._script = script
        self._provider = self._new_provider()
        self._seen = 0
        self._runner: web.ServerRunner | None = None
        self._port = self.options.port

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The base URL for clients, with the prefix and without a trailing slash."""
        return self._origin + self.options.prefix

    @property
    def script(self) -> Script | None:
        """What answers message requests; None gives the default replies."""
        return self._script

    @script.setter
    def script(self, script: Script | None) -> None:
        self._script = self._provider.messages.script = script

    @property
    def ledger(self) -> Ledger:
        """The ledger of truth."""
        return self._provider.ledger

    @property
    def requests(self) -> list[Seen]:
        """Every request seen, in order; batch items follow as requests of their own."""
        return self.ledger.rows

    def bill(self) -> Bill:
        """The bill of everything so far."""
        return self.ledger.bill()

    def bill_by_session(self) -> dict[str | None, Bill]:
        """The bill of each session; None collects the requests that named none."""
        return self.ledger.by_session()

    def bill_by_model(self) -> dict[str | None, Bill]:
        """The bill of each serving model."""
        return self.ledger.by_model()

    def end_batch(self, batch_id: str) -> None:
        """Works off a batch now. Raises KeyError for an unknown one."""
        self._provider.batches.end(batch_id)

    def reset(self) -> None:
        """Forgets requests, cache, files, batches and script. The clock stays where it is."""
        self._script = None
        self._provider = self._new_provider()
        self._provider.base_url = self._origin

    async def start(self) -> None:
        """Binds the socket and serves until `stop`."""
        server = web.Server(
            self._handle,
            handler_cancellation=True,
            auto_decompress=False,
            access_log=None,
            max_field_size=_HEADER_LIMIT,
            max_line_size=_HEADER_LIMIT,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.options.host, self.options.port, backlog=1024)
        await site.start()
        self._port = int(self._runner.addresses[0][1])
        self._provider.base_url = self._origin

    async def stop(self) -> None:
        """Closes the socket and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def _origin(self) -> str:
        return f"http://{self.options.host}:{self._port}"

    def _new_provider(self) -> Provider:
        parts = {entry.name: getattr(self.options, entry.name) for entry in fields(self.options)}
        return default_provider({**parts, "script": self._script})

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        self._seen += 1
        view = RequestView(
            method=request.method,
            target=request.raw_path,
            raw_headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers],
            body=body,
            number=self._seen,
            request_id=f"req_{self.options.tag}{self._seen:010d}",
        )
        if view.path.removeprefix(self.options.prefix).startswith(ROOT):
            throwaway = Ledger().open(view, request_id="", now=0)
            return await Sender(request, control(self, view), throwaway, []).send()
        seen = self.ledger.open(view, request_id=view.request_id, now=self.clock.now())
        answered = self._provider.answer(view)
        return await Sender(request, answered, seen, self._headers(view)).send()

    def _headers(self, view: RequestView) -> Headers:
        found = [("request-id", view.request_id), ("anthropic-organization-id", self.options.organization)]
        if "/v1/messages" in view.path and view.credential is not None:
            workspace = self._provider.messages.workspace(view)
            found.extend(self._provider.limiter.headers(workspace, now=self.clock.now()))
        return found


@contextlib.contextmanager
def run_in_thread(script: Script | None = None, **options: Any) -> Iterator[FakeUpstream]:
    """A fake upstream served from a thread of its own, for synchronous clients; gives the running upstream."""
    up = FakeUpstream(script, **options)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake-upstream", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(up.start(), loop).result()
        yield up
    finally:
        asyncio.run_coroutine_threadsafe(up.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
