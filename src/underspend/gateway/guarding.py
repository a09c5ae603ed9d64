"""The guard of a gateway, made from its settings; and what alerts are given to while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from underspend.config.schema import Settings
from underspend.core.alerts import Tells
from underspend.core.ports import Clock
from underspend.core.rate_limits import RateLimits
from underspend.core.runaway import Runaway
from underspend.formats.anthropic_blocks import Anatomy
from underspend.formats.anthropic_request import MessagesRequest
from underspend.gateway.guard import Guard
from underspend.gateway.resuming import Resuming
from underspend.gateway.status import Status
from underspend.stores.past_spending import spent_in_stretches


class Telling(Tells, Protocol):
    """Whom alerts are given to, and how that goes."""

    def snapshot(self) -> dict[str, object]:
        """JSON-ready values."""
        ...


def guarded(  # noqa: PLR0913, PLR0917  # what a guard is made of
    settings: Settings,
    clock: Clock,
    status: Status,
    tells: Tells | None,
    engine: Engine,
    anatomy: Callable[[MessagesRequest], Anatomy],
) -> Guard | None:
    """The guard of the settings; None where they neither limit nor watch anything. It is seen in `status`."""
    said = settings.alerts
    if said is None or not (said.limits or said.watches):
        return None
    runaway = _runaway(settings, clock, status, engine) if said.watches else None
    status.pauses = Resuming(runaway, clock).pauses
    return Guard(
        clock=clock,
        status=status,
        anatomy=anatomy,
        tells=tells,
        limits=RateLimits(said.limits) if said.limits else None,
        runaway=runaway,
        act_on_subscription=settings.subscription.act,
    )


def _runaway(settings: Settings, clock: Clock, status: Status, engine: Engine) -> Runaway | None:
    """What is watched, with what was spent before; None where everything is off."""
    rules = settings.alerts.runaway if settings.alerts is not None else None
    if rules is None or not (rules.loops or rules.fan_out or rules.pace):
        return None
    runaway = Runaway(rules)
    if rules.pace is not None:
        try:
            runaway.remember(spent_in_stretches(engine, clock.now() - rules.pace.keep, rules.pace.stretch))
        except SQLAlchemyError as error:
            status.fault("guard", f"what was spent before cannot be read ({type(error).__name__})")
    return runaway
