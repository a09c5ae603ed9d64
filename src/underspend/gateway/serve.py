"""Starting and stopping a gateway: everything is made here, handed over, and closed in reverse order."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import uvicorn
from sqlalchemy import Engine

from underspend.config.schema import Settings
from underspend.core.errors import ConfigError, PortTakenError, StoreError
from underspend.core.ports import Clock
from underspend.core.strategy import State
from underspend.formats.translators import translator
from underspend.gateway.acting import Acting
from underspend.gateway.app import Door, GatewayApp
from underspend.gateway.asgi import App
from underspend.gateway.asking import Asking
from underspend.gateway.attempts import Attempts, target_name
from underspend.gateway.books import Books
from underspend.gateway.carrying import Carrier, Refusing
from underspend.gateway.circuits import Circuits
from underspend.gateway.clock import SystemClock
from underspend.gateway.credentials import KeyHasher, secret_at
from underspend.gateway.destinations import Destinations
from underspend.gateway.feedback import Feedback
from underspend.gateway.holdout import Holdout
from underspend.gateway.identity import Identifier
from underspend.gateway.learning import Learning, learned
from underspend.gateway.live import Live
from underspend.gateway.memory import keep_large_blocks, settle_in
from underspend.gateway.model_list import ModelList
from underspend.gateway.pipeline import Pipeline
from underspend.gateway.reaching import destinations_of, opened
from underspend.gateway.recovery import settle_interrupted
from underspend.gateway.relay import Relay
from underspend.gateway.routing import Router, may_edit, router_step
from underspend.gateway.spending import Spending
from underspend.gateway.status import Status
from underspend.pricing.catalogue import Catalogue, catalogue
from underspend.pricing.forecast import Forecast
from underspend.stores.database import open_database
from underspend.stores.ledger import SqlLedger
from underspend.stores.lock import exclusive
from underspend.stores.routing import RoutingRows
from underspend.tokens.estimate import Calibration

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_WRITER_BUSY_MS = 250
_KEEP_ALIVE_SECONDS = 75
_KEPT_MICROS = 30 * 86_400_000_000  # as long as Claude Code keeps a session that can be resumed
_CHOOSES = "auto_model"  # the strategy that answers to the model "auto"
_IN_USE = {errno.EADDRINUSE, errno.EACCES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the dashboard needs of a gateway."""

    engine: Engine
    live: Live
    status: Status
    settings: Settings


def serve(
    settings: Settings,
    dashboard: Callable[[Parts], App],
    ready: Callable[[str], None],
    *,
    clock: Clock | None = None,
) -> None:
    """Run a gateway until it is told to stop; calls in flight are given time to finish.

    `ready` is called with the gateway's URL once it answers. Without `clock` the machine's is used. Raises
    PortTakenError, ConfigError for an address that would let strangers in, and StoreError for a ledger that cannot
    be used.
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
        made = _make(settings, dashboard, stack, frame)
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


@dataclass(frozen=True, slots=True)
class _Frame:
    """What every part of a gateway looks at or tells."""

    clock: Clock
    live: Live
    status: Status


@dataclass(frozen=True, slots=True)
class _Stores:
    """What outlives a gateway."""

    ledger: SqlLedger
    engine: Engine
    learning: Learning


def _frame(settings: Settings, url: str, clock: Clock) -> _Frame:
    status = Status(clock=clock, version=version("underspend"), listening=url, upstream=settings.upstream.anthropic)
    return _Frame(clock, Live(), status)


def _make(settings: Settings, dashboard: Callable[[Parts], App], stack: ExitStack, frame: _Frame) -> App:
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
    local = dashboard(_parts(engine, settings, frame))
    learning = stack.enter_context(learned(RoutingRows(engine), settings.steps, frame.status.fault))
    app = _app(settings, frame, _Stores(ledger, engine, learning), prices, destinations, local=local)
    stack.callback(app.stop)
    return with_lifespan(app, lambda: opened(destinations))


def _parts(engine: Engine, settings: Settings, frame: _Frame) -> Parts:
    return Parts(engine=engine, live=frame.live, status=frame.status, settings=settings)


def _app(  # noqa: PLR0913  # the one place where the parts meet
    settings: Settings,
    frame: _Frame,
    stores: _Stores,
    prices: Catalogue,
    destinations: Destinations,
    *,
    local: App,
) -> GatewayApp:
    ledger = stores.ledger
    everything = may_edit(settings.steps) or ledger.has_kept_edits(frame.clock.now() - _KEPT_MICROS)
    books = Books(
        ledger=ledger,
        catalogue=prices,
        clock=frame.clock,
        live=frame.live,
        status=frame.status,
        spending=Spending(_zone(settings.report.timezone), ledger.spent_since, frame.clock.now()),
        calibration=Calibration(),
        upstream=destinations.home.host,
        store_content=settings.privacy.store_content,
        acting=Acting(settings.steps, prices, ledger.kept_edits, everything=everything),
    )
    identifier = Identifier(ledger, KeyHasher(secret_at(settings.paths.secret)), ledger.session_projects())
    home = destinations.home.upstream
    pipeline = _pipeline(settings, books, destinations, identifier, stores.learning)
    return GatewayApp(
        pipeline=pipeline,
        feedback=Feedback(pipeline.router, stores.engine),
        relay=Relay(upstream=home, books=books, identifier=identifier, status=frame.status),
        models=_model_list(settings, destinations, prices, frame.clock),
        local=local,
        door=_door(settings),
        status=frame.status,
    )


def _pipeline(
    settings: Settings, books: Books, destinations: Destinations, identifier: Identifier, learning: Learning
) -> Pipeline:
    carrier = Carrier(translator)
    said, status, clock = settings.circuits, books.status, books.clock
    circuits = Circuits(clock, failures=said.failures, open_seconds=said.open_seconds)
    status.circuits = lambda: [target_name(key) for key in circuits.open_now()]
    refuses = Refusing(destinations, carrier).why
    router = Router(router_step(settings.steps), learning, explore=settings.routing.explore, refuses=refuses)
    asking = Asking(
        identifier=identifier,
        destinations=destinations,
        carrier=carrier,
        calibration=books.calibration,
        status=status,
        clock=clock,
        acting=books.acting,
        forward=settings.upstream.openai == "forward",
        preference=router.strategy.preference.value,
        first=router.first,
    )
    return _joined(settings, books, asking, router, circuits)


def _joined(settings: Settings, books: Books, asking: Asking, router: Router, circuits: Circuits) -> Pipeline:
    """The pipeline of parts that are there."""
    # A limit has to hold for the dearest way that a call may take.
    regional = any(provider.is_regional("") for provider in settings.providers)
    forecast = Forecast(books.catalogue, places=("regional",) if regional else ())
    return Pipeline(
        asking=asking,
        attempts=Attempts(
            books=books,
            destinations=asking.destinations,
            carrier=asking.carrier,
            circuits=circuits,
            spending=books.spending,
            forecast=forecast,
            status=books.status,
            router=router,
            acting=books.acting,
        ),
        books=books,
        steps=settings.steps,
        forecast=forecast,
        spending=books.spending,
        status=books.status,
        clock=books.clock,
        body_limit=settings.gateway.body_limit_mb * 1024 * 1024,
        act_on_subscription=settings.subscription.act,
        acting=books.acting,
        holdout=Holdout(settings.proof.holdout),
        router=router,
    )


def _model_list(settings: Settings, destinations: Destinations, prices: Catalogue, clock: Clock) -> ModelList:
    chosen = any(step.strategy.name == _CHOOSES and step.state is State.ON for step in settings.steps)
    forward = settings.upstream.openai == "forward"
    return ModelList(destinations=destinations, catalogue=prices, clock=clock, auto=chosen, forward=forward)


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


def _door(settings: Settings) -> Door:
    gateway = settings.gateway
    hosts = frozenset({*(name.lower() for name in gateway.allowed_hosts), gateway.host.lower()})
    return Door(allowed_hosts=hosts, access_key=gateway.access_key)


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


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        mend = "Use an IANA name such as Europe/Berlin."
        raise ConfigError(where=f"report.timezone = {name}", problem="this zone is not known", mend=mend) from error


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
