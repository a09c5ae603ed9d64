"""Starting and stopping a gateway: everything is made here, handed over, and closed in reverse order."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import uvicorn
from sqlalchemy import Engine

from underspend.config.schema import Settings
from underspend.core.errors import ConfigError, PortTakenError, StoreError
from underspend.core.holds import Holds
from underspend.core.ports import Clock
from underspend.gateway.answering import closing
from underspend.gateway.app import GatewayApp
from underspend.gateway.asgi import App
from underspend.gateway.assembly import Frame, Stores, assembled
from underspend.gateway.budgeted import Book, keeper_of, opened_holds
from underspend.gateway.clock import SystemClock
from underspend.gateway.crossings import crossings_told
from underspend.gateway.destinations import Destinations
from underspend.gateway.guarding import Telling
from underspend.gateway.keeping import Keeper
from underspend.gateway.learning import learned
from underspend.gateway.live import Live
from underspend.gateway.memory import keep_large_blocks, settle_in
from underspend.gateway.reaching import destinations_of, opened
from underspend.gateway.recovery import settle_interrupted
from underspend.gateway.status import Status
from underspend.pricing.catalogue import catalogue
from underspend.stores.database import open_database
from underspend.stores.ledger import SqlLedger
from underspend.stores.lock import exclusive
from underspend.stores.routing import RoutingRows

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_WRITER_BUSY_MS = 250
_KEEP_ALIVE_SECONDS = 75
_IN_USE = {errno.EADDRINUSE, errno.EACCES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the dashboard needs of a gateway."""

    engine: Engine
    live: Live
    status: Status
    settings: Settings
    holds: Holds | None = None


Alerts: TypeAlias = Callable[[Parts], AbstractContextManager[Telling]]


def serve(
    settings: Settings,
    dashboard: Callable[[Parts], App],
    ready: Callable[[str], None],
    *,
    clock: Clock | None = None,
    alerts: Alerts | None = None,
) -> None:
    """Run a gateway until it is told to stop; calls in flight are given time to finish.

    `ready` is called with the gateway's URL once it answers. Without `clock` the machine's is used. `alerts` opens what
    alerts are given to, where the settings have any of their tables. Raises PortTakenError, ConfigError for an address
    that would let strangers in, and StoreError for a ledger that cannot be used.
    """
    _check_bind(settings)
    _check_upstream(settings.upstream.anthropic)
    _make_folder(settings.paths.data)
    with ExitStack() as stack:
        stack.enter_context(exclusive(settings.paths.lock))
        listener = stack.enter_context(_listen(settings.gateway.host, settings.gateway.port))
        host, port = listener.getsockname()[:2]
        settings = replace(settings, gateway=replace(settings.gateway, port=port))
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        frame = _frame(settings, url, clock or SystemClock())
        made = _make(settings, dashboard, stack, frame, alerts)
        _stop_on_signals_only()
        keep_large_blocks()
        _Server(_server_config(made, settings), ready=lambda: ready(url), stopping=frame.live.close).run(
            sockets=[listener]
        )


def _stop_on_signals_only() -> None:
    """Let a signal stop the server and nothing more.

    uvicorn raises the signals it caught once more when it has stopped; by then the ledger still has to be closed.
    """
    if threading.current_thread() is threading.main_thread():
        for caught in (signal.SIGINT, signal.SIGTERM):
            signal.signal(caught, lambda *_: None)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, *, ready: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            settle_in()
            self._ready()


def _server_config(app: App, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        date_header=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.gateway.drain_seconds,
    )


def _frame(settings: Settings, url: str, clock: Clock) -> Frame:
    status = Status(clock=clock, version=version("underspend"), listening=url, upstream=settings.upstream.anthropic)
    return Frame(clock, Live(), status)


def _make(
    settings: Settings, dashboard: Callable[[Parts], App], stack: ExitStack, frame: Frame, alerts: Alerts | None
) -> App:
    prices = catalogue().with_overrides(settings.prices)
    destinations = destinations_of(settings, prices, os.environ)
    engine = open_database(
        settings.ledger.url, power_safe=settings.ledger.durability == "power", busy_ms=_WRITER_BUSY_MS
    )
    stack.callback(engine.dispose)
    ledger = SqlLedger(
        engine,
        settings.paths.spool,
        on_fault=frame.status.fault,
        power_safe=settings.ledger.durability == "power",
    )
    frame.status.ledger = ledger.health
    stack.enter_context(ledger)
    settle_interrupted(ledger, prices, frame.clock)
    holds = opened_holds(settings, frame.status, stack)
    parts = _parts(engine, settings, frame, holds)
    frame = stack.enter_context(_with_alerts(frame, parts, alerts))
    local = dashboard(parts)
    keeper = None
    if holds is not None:
        keeper = keeper_of(settings, holds, frame.status, frame.clock, Book(engine, ledger, prices), frame.on_crossing)
    learning = stack.enter_context(learned(RoutingRows(engine), settings.steps, frame.status.fault))
    app = assembled(settings, frame, Stores(ledger, engine, learning), prices, destinations, local=local, keeper=keeper)
    stack.callback(app.stop)
    return with_lifespan(app, lambda: _open(destinations, app, keeper))


@contextlib.asynccontextmanager
async def _open(destinations: Destinations, app: GatewayApp, keeper: Keeper | None) -> AsyncIterator[None]:
    """While inside, calls can be sent, and answered here, and their budgets are kept."""
    async with (
        closing(app.answers),
        opened(destinations),
        keeper.kept() if keeper is not None else contextlib.nullcontext(),
    ):
        yield


@contextlib.contextmanager
def _with_alerts(frame: Frame, parts: Parts, alerts: Alerts | None) -> Iterator[Frame]:
    """The frame with whom alerts are given to; as it is where nothing is set, and nothing is started then."""
    if alerts is None or parts.settings.alerts is None:
        yield frame
        return
    with alerts(parts) as tells:
        frame.status.alerts = tells.snapshot
        # Budgets hand each threshold that was passed, and that nobody has told, to `frame.on_crossing`.
        yield replace(frame, tells=tells, on_crossing=crossings_told(tells, frame.clock))


def _parts(engine: Engine, settings: Settings, frame: Frame, holds: Holds | None) -> Parts:
    return Parts(engine=engine, live=frame.live, status=frame.status, settings=settings, holds=holds)


def with_lifespan(app: App, open_parts: Callable[[], contextlib.AbstractAsyncContextManager[None]]) -> App:
    """The app, with the ASGI lifespan served by a context that is open while the server runs."""

    async def lifespan_or_app(scope, receive, send):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        await receive()
        async with open_parts():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    return lifespan_or_app


def _check_bind(settings: Settings) -> None:
    if settings.gateway.host not in _LOOPBACK and not settings.gateway.access_key:
        raise ConfigError(
            where=f"gateway.host = {settings.gateway.host}",
            problem="this address can be reached from other machines, and no access key is set",
            mend="Set [gateway] access_key, or listen on 127.0.0.1.",
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(path=folder, problem=f"its folder cannot be made ({error.strerror})") from error
    if not os.access(folder, os.W_OK):
        raise StoreError(path=folder, problem="its folder cannot be written")


def _check_upstream(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(
            where=f"upstream.anthropic = {url}",
            problem="this is not the address of a server",
            mend="Write it as https://api.anthropic.com.",
        )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno in _IN_USE:
            raise PortTakenError(host=host, port=port) from error
        raise ConfigError(
            where=f"{host}:{port}", problem=f"cannot listen there: {error}", mend="Choose another."
        ) from error
    listener.set_inheritable(False)
    return listener
