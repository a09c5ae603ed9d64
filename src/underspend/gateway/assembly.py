"""Putting a gateway together: which part gets which others."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Engine

from underspend.config.schema import Settings
from underspend.core.alerts import Tells
from underspend.core.errors import ConfigError
from underspend.core.ports import Clock
from underspend.core.strategy import State
from underspend.formats.translators import translator
from underspend.gateway import holding
from underspend.gateway.acting import Acting
from underspend.gateway.answering import answers_of
from underspend.gateway.app import Door, GatewayApp
from underspend.gateway.asgi import App
from underspend.gateway.asking import Asking
from underspend.gateway.attempts import Attempts, target_name
from underspend.gateway.books import Books
from underspend.gateway.budgeted import downgrades, gate_of
from underspend.gateway.carrying import Carrier, Refusing
from underspend.gateway.circuits import Circuits
from underspend.gateway.credentials import KeyHasher, secret_at
from underspend.gateway.crossings import OnCrossing
from underspend.gateway.destinations import Destinations
from underspend.gateway.feedback import Feedback
from underspend.gateway.following import Following
from underspend.gateway.gating import Gate
from underspend.gateway.guarding import guarded
from underspend.gateway.holdout import Holdout
from underspend.gateway.identity import Identifier
from underspend.gateway.keeping import Keeper
from underspend.gateway.learning import Learning
from underspend.gateway.live import Live
from underspend.gateway.model_list import ModelList
from underspend.gateway.pipeline import Pipeline
from underspend.gateway.plan_limits import PlanLimits
from underspend.gateway.relay import Relay
from underspend.gateway.resuming import Resuming
from underspend.gateway.routing import Router, router_step
from underspend.gateway.states import States
from underspend.gateway.status import Status
from underspend.gateway.summaries import summaries_of
from underspend.pricing.catalogue import Catalogue
from underspend.pricing.forecast import Forecast
from underspend.stores.ledger import SqlLedger
from underspend.stores.quota_log import QuotaLog
from underspend.tokens.estimate import Calibration

_KEPT_MICROS = 30 * 86_400_000_000  # as long as Claude Code keeps a session that can be resumed
_CHOOSES = "auto_model"  # the strategy that answers to the model "auto"


@dataclass(frozen=True, slots=True)
class Frame:
    """What every part of a gateway looks at or tells."""

    clock: Clock
    live: Live
    status: Status
    tells: Tells | None = None
    """Whom alerts are given to; None where the settings have none of their tables."""

    on_crossing: OnCrossing | None = None
    """Takes thresholds of budgets that were passed."""


@dataclass(frozen=True, slots=True)
class Stores:
    """What outlives a gateway."""

    ledger: SqlLedger
    engine: Engine
    learning: Learning


def assembled(  # noqa: PLR0913  # the one place where the parts meet
    settings: Settings,
    frame: Frame,
    stores: Stores,
    prices: Catalogue,
    destinations: Destinations,
    *,
    local: App,
    keeper: Keeper | None = None,
) -> GatewayApp:
    """A gateway of its settings and of what outlives it. Raises ConfigError for a time zone that nobody knows."""
    ledger = stores.ledger
    acting = _acting(settings, ledger, prices)
    books = _books(settings, frame, ledger, prices, acting, keeper, destinations.home.host)
    keys = KeyHasher(secret_at(settings.paths.secret))
    identifier = Identifier(ledger, keys, ledger.session_projects())
    kept = ledger.kept_conversations(frame.clock.now() - _KEPT_MICROS)
    pipeline = _pipeline(settings, books, destinations, identifier, stores.learning, kept, keeper)
    pipeline.limits, pipeline.answers = _plan_limits(settings, frame), answers_of(settings, books, keys)
    pipeline.guard = guarded(settings, frame.clock, frame.status, frame.tells, stores.engine, acting.anatomy)
    return GatewayApp(
        pipeline=pipeline,
        feedback=Feedback(pipeline.router, stores.engine),
        relay=_relay(pipeline, destinations, identifier),
        models=_model_list(settings, destinations, prices, frame.clock),
        resuming=Resuming(pipeline.guard.runaway if pipeline.guard is not None else None, frame.clock),
        local=local,
        door=_door(settings),
        status=frame.status,
    )


def _books(  # noqa: PLR0913, PLR0917  # as above
    settings: Settings,
    frame: Frame,
    ledger: SqlLedger,
    prices: Catalogue,
    acting: Acting,
    keeper: Keeper | None,
    upstream: str,
) -> Books:
    return Books(
        ledger=ledger,
        catalogue=prices,
        clock=frame.clock,
        live=frame.live,
        status=frame.status,
        calibration=Calibration(),
        upstream=upstream,
        store_content=settings.privacy.store_content,
        acting=acting,
        holding=keeper.holding if keeper is not None else None,
    )


def _plan_limits(settings: Settings, frame: Frame) -> PlanLimits:
    worker = ThreadPoolExecutor(1, thread_name_prefix="plan-limits")  # no thread before there is something to keep
    return PlanLimits(QuotaLog(settings.paths.quota), worker, frame.clock, frame.status.fault)


def _relay(pipeline: Pipeline, destinations: Destinations, identifier: Identifier) -> Relay:
    return Relay(
        upstream=destinations.home.upstream,
        books=pipeline.books,
        identifier=identifier,
        status=pipeline.status,
        gate=pipeline.gate,
    )


def _acting(settings: Settings, ledger: SqlLedger, prices: Catalogue) -> Acting:
    also = (holding.NAME,) if downgrades(settings) else ()  # a downgrade has to know whether a turn is under way
    before = ledger.calls_of
    made = Acting(settings.steps, prices, ledger.kept_edits, calls_before=before, everything=bool(also), also=also)
    made.histories.stores_text = settings.privacy.store_content
    return made


def _pipeline(  # noqa: PLR0913, PLR0917  # as above
    settings: Settings,
    books: Books,
    destinations: Destinations,
    identifier: Identifier,
    learning: Learning,
    kept: AbstractSet[str],
    keeper: Keeper | None,
) -> Pipeline:
    _check_zone(settings.report.timezone)
    carrier = Carrier(translator)
    said, status, clock = settings.circuits, books.status, books.clock
    circuits = Circuits(clock, failures=said.failures, open_seconds=said.open_seconds)
    status.circuits = lambda: [target_name(key) for key in circuits.open_now()]
    refuses = Refusing(destinations, carrier).why
    router = Router(router_step(settings.steps), learning, explore=settings.routing.explore, refuses=refuses)
    holdout = Holdout(settings.proof.holdout)
    states = States(settings.steps, holdout=holdout, on_plans=settings.subscription.act, routed=True)
    asking = Asking(
        identifier=identifier,
        destinations=destinations,
        carrier=carrier,
        calibration=books.calibration,
        status=status,
        clock=clock,
        acting=books.acting,
        following=_following(books, states, routes=router.strategy.is_acting, kept=kept),
        forward=settings.upstream.openai == "forward",
        preference=router.strategy.preference.value,
        first=router.first,
    )
    # A limit has to hold for the dearest way that a call may take.
    places = ("regional",) if any(provider.is_regional("") for provider in settings.providers) else ()
    forecast = Forecast(books.catalogue, places=places)
    gate = None
    if keeper is not None:
        gate = gate_of(settings, keeper, books, forecast, places=places, refuses=refuses, router=router)
    return _joined(settings, books, asking, router, circuits, forecast, gate, states)


def _following(books: Books, states: States, *, routes: bool, kept: AbstractSet[str]) -> Following | None:
    if books.acting is None:
        return None
    return Following(states, books.acting, Forecast(books.catalogue), routes=routes, kept=kept)


def _joined(  # noqa: PLR0913, PLR0917  # as above
    settings: Settings,
    books: Books,
    asking: Asking,
    router: Router,
    circuits: Circuits,
    forecast: Forecast,
    gate: Gate | None,
    states: States,
) -> Pipeline:
    """The pipeline of parts that are there."""
    return Pipeline(
        asking=asking,
        attempts=Attempts(
            books=books,
            destinations=asking.destinations,
            carrier=asking.carrier,
            circuits=circuits,
            gate=gate,
            forecast=forecast,
            status=books.status,
            router=router,
            acting=books.acting,
        ),
        books=books,
        steps=settings.steps,
        forecast=forecast,
        gate=gate,
        status=books.status,
        clock=books.clock,
        body_limit=settings.gateway.body_limit_mb * 1024 * 1024,
        act_on_subscription=settings.subscription.act,
        acting=books.acting,
        holdout=Holdout(settings.proof.holdout),
        router=router,
        states=states,
        summaries=summaries_of(settings.steps, books, states, forecast, gate),
    )


def _model_list(settings: Settings, destinations: Destinations, prices: Catalogue, clock: Clock) -> ModelList:
    chosen = any(step.strategy.name == _CHOOSES and step.state is State.ON for step in settings.steps)
    forward = settings.upstream.openai == "forward"
    return ModelList(destinations=destinations, catalogue=prices, clock=clock, auto=chosen, forward=forward)


def _door(settings: Settings) -> Door:
    gateway = settings.gateway
    hosts = frozenset({*(name.lower() for name in gateway.allowed_hosts), gateway.host.lower()})
    return Door(allowed_hosts=hosts, access_key=gateway.access_key)


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        mend = "Use an IANA name such as Europe/Berlin."
        raise ConfigError(where=f"report.timezone = {name}", problem="this zone is not known", mend=mend) from error
