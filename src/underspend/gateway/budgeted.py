"""What budgets need, put together from the settings: the store, who keeps it, and the gate that calls pass."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from sqlalchemy import Engine

from underspend.config.schema import Settings
from underspend.core.budgets import Action
from underspend.core.holds import Holds, HoldsError
from underspend.core.ports import Clock
from underspend.core.windows import SECOND
from underspend.gateway.books import Books
from underspend.gateway.breaches import Answering
from underspend.gateway.crossings import OnCrossing
from underspend.gateway.downgrading import Downgrading, Refuses
from underspend.gateway.gating import Gate
from underspend.gateway.holding import Holding
from underspend.gateway.keeping import Keeper
from underspend.gateway.routing import Router
from underspend.gateway.status import Status
from underspend.pricing.catalogue import Catalogue
from underspend.pricing.forecast import Forecast
from underspend.stores.holds.choose import open_holds
from underspend.stores.holds.off_loop import OffLoop
from underspend.stores.ledger import SqlLedger

_DEARER = ("geo:us", "priority")


@dataclass(frozen=True, slots=True)
class Book:
    """The ledger that sums are taken from, and what prices its calls."""

    engine: Engine
    ledger: SqlLedger
    prices: Catalogue


def opened_holds(settings: Settings, status: Status, stack: ExitStack) -> Holds | None:
    """The store of the settings; None without budgets, or where it cannot be opened and no budget blocks.

    Raises HoldsError where it cannot be opened and a budget blocks: that budget could not be held.
    """
    if not settings.budgets:
        return None
    said = settings.budget_store
    try:
        holds = open_holds(
            said.url, settings.paths.data, prefix=said.prefix, power_safe=settings.ledger.durability == "power"
        )
    except HoldsError as error:
        if any(budget.is_enforced for budget in settings.budgets):
            raise
        status.fault("budgets", f"{error} Nothing is counted until the gateway is started again.")
        return None
    stack.callback(holds.close)
    return holds


def keeper_of(  # noqa: PLR0913, PLR0917  # what a store is kept with
    settings: Settings,
    holds: Holds,
    status: Status,
    clock: Clock,
    book: Book,
    on_crossing: OnCrossing | None = None,
) -> Keeper:
    """Who keeps the store, with its holding."""
    said = settings.budget_store
    life = said.hold_seconds * SECOND
    holding = Holding(
        budgets=settings.budgets,
        holds=OffLoop(holds, clock=clock.now, hold_for=life),
        status=status,
        clock=clock,
        subscription=settings.subscription.act,
        learned=said.reserve == "learned",
    )
    return Keeper(
        holding=holding,
        engine=book.engine,
        catalogue=book.prices,
        life=life,
        health=book.ledger.health,
        on_crossing=on_crossing,
    )


def downgrades(settings: Settings) -> bool:
    """Whether a budget goes to another model: conversations are then followed."""
    return any(budget.action is Action.DOWNGRADE for budget in settings.budgets)


def gate_of(  # noqa: PLR0913  # what a gate looks at
    settings: Settings,
    keeper: Keeper,
    books: Books,
    forecast: Forecast,
    *,
    places: tuple[str, ...],
    refuses: Refuses,
    router: Router,
) -> Gate:
    """The gate of the settings' budgets."""
    downgrading = None
    if downgrades(settings):
        downgrading = Downgrading(
            holding=keeper.holding,
            pricing=forecast,
            refuses=refuses,
            why_not=router.why_not,
            last_sent=keeper.last_sent,
        )
    return Gate(
        holding=keeper.holding,
        answering=Answering(settings.budget_store.on_breach),
        books=books,
        catalogue=books.catalogue,
        forecast=forecast,
        dearer=Forecast(books.catalogue, places=(*places, *_DEARER)),
        downgrading=downgrading,
    )
