"""Budgets of the configuration: each is a table [budgets.<name>]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from underspend.config.schema import Origin
from underspend.config.zones import budget_zone
from underspend.core.budgets import THRESHOLDS, Action, AtCap, Budget, Scope
from underspend.core.errors import ConfigError
from underspend.core.money import from_usd
from underspend.core.windows import window


class BudgetTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a table [budgets.<name>] may say."""

    usd: Annotated[str, Meta(description='The cap in dollars, as text so that it is exact: "5.00".')]
    window: Annotated[
        str,
        Meta(description="rolling or calendar hour, day, week or month; session; fan-out; request."),
    ] = "calendar day"
    scope: Annotated[Scope, Meta(description="Whose calls count: each value of the scope has the cap for itself.")] = (
        Scope.ALL
    )
    only: Annotated[str | None, Meta(description="Count this one value of the scope only.")] = None
    action: Annotated[Action, Meta(description="What happens at the cap: warn, downgrade or block.")] = Action.WARN
    downgrade_to: Annotated[str, Meta(description="The model that `downgrade` goes to.")] = ""
    at_cap: Annotated[AtCap, Meta(description="A request that could pass its cap: refuse it, or end its reply.")] = (
        AtCap.REFUSE
    )
    thresholds: Annotated[tuple[int, ...], Meta(description="Percents of the cap that alerts are sent at.")] = (
        THRESHOLDS
    )
    timezone: Annotated[str | None, Meta(description="Zone of calendar windows; the report's where not given.")] = None


def budgets_from(
    tables: object, at: Callable[[str], str], *, timezone: str
) -> tuple[tuple[Budget, ...], tuple[Origin, ...]]:
    """The budgets of the tables under [budgets], in their order, and where each of their settings was said.

    `timezone` is the report's; `at` gives the file and line of a dotted name. Raises ConfigError, which names the
    table, for what is no budget.
    """
    if not isinstance(tables, dict):
        mend = 'Write one table for each, as [budgets.day] with usd = "5.00".'
        raise ConfigError(where=at("budgets"), problem="budgets are tables with a name", mend=mend)
    made = [_read(name, table, timezone, at(f"budgets.{name}")) for name, table in tables.items()]
    origins = [
        origin
        for budget, (name, table) in zip(made, tables.items(), strict=True)
        for origin in _origins(name, table, budget, at)
    ]
    return tuple(made), tuple(origins)


def _read(name: str, table: object, timezone: str, where: str) -> Budget:
    try:
        said = msgspec.convert(table, BudgetTable)
        zone = said.timezone if said.timezone is not None else timezone
        return Budget(
            name=name,
            cap=from_usd(said.usd),
            window=window(said.window),
            zone=budget_zone(zone),
            scope=said.scope,
            only=said.only,
            action=said.action,
            thresholds=said.thresholds,
            downgrade_to=said.downgrade_to,
            at_cap=said.at_cap,
        )
    except ValueError as error:  # msgspec's errors are ValueErrors too
        mend = f"Mend [budgets.{name}]; see docs/budgets.md."
        raise ConfigError(where=where, problem=str(error), mend=mend) from error


def _origins(name: str, table: dict[str, Any], budget: Budget, at: Callable[[str], str]) -> list[Origin]:
    said = msgspec.to_builtins(msgspec.convert(table, BudgetTable))
    said["timezone"] = budget.zone.name
    return [
        Origin(
            name=(dotted := f"budgets.{name}.{key}"),
            value=value,
            source=at(dotted) if key in table else "default",
            description="",
        )
        for key, value in said.items()
    ]
