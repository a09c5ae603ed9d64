"""[strategies.<name>] tables → strategies with their states, in the shelf's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import msgspec

from underspend.config.schema import Origin
from underspend.config.scopes import said, scopes_from
from underspend.core.engine import Step
from underspend.core.errors import ConfigError
from underspend.core.strategy import State, Strategy
from underspend.strategies import BUILTIN

_MOVED = 'Write [budgets.day] with usd = "25" and action = "block" (or "warn"); see docs/budgets.md.'


def steps_from(table: object, at: Callable[[str], str]) -> tuple[tuple[Step, ...], list[Origin]]:
    """The steps and where each of their settings was said. `at` gives the file and line of a dotted name.

    Raises ConfigError for a strategy or setting that does not exist, or a value that will not do.
    """
    if not isinstance(table, dict) or not all(isinstance(value, dict) for value in table.values()):
        raise ConfigError(where=at("strategies"), problem="strategies are tables", mend="Write [strategies.<name>].")
    if "budget" in table:
        raise ConfigError(where=at("strategies.budget"), problem="a budget is a table of its own now", mend=_MOVED)
    shelf = {kind.name: kind for kind in BUILTIN}
    for name in table:
        if name not in shelf:
            known = ", ".join(shelf)
            raise ConfigError(
                where=at(f"strategies.{name}"), problem=f"no strategy {name}", mend=f"There are: {known}."
            )
    steps: list[Step] = []
    origins: list[Origin] = []
    for name, kind in shelf.items():
        given = dict(table.get(name, {}))
        state = _state(given.pop("state", kind.default_state), name, at)
        scopes = scopes_from(given.pop("scopes", []), name, at)
        strategy = _made(kind, given, at)
        steps.append(Step(strategy, state, scopes))
        origins += _origins(steps[-1], table.get(name, {}), at)
    return tuple(steps), origins


def _state(value: object, name: str, at: Callable[[str], str]) -> State:
    try:
        return State(str(value))
    except ValueError as error:
        where = at(f"strategies.{name}.state")
        raise ConfigError(
            where=where, problem=f"state = {value!r} will not do", mend="Use off, shadow or on."
        ) from error


def _made(kind: type[Strategy], given: Mapping[str, Any], at: Callable[[str], str]) -> Strategy:
    known = [field.name for field in fields(kind)]
    for key in given:
        if key not in known:
            where = at(f"strategies.{kind.name}.{key}")
            mend = f"It has: {', '.join(['state', 'scopes', *known])}."
            raise ConfigError(where=where, problem=f"{kind.name} has no setting {key}", mend=mend)
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        where = at(f"strategies.{kind.name}")
        raise ConfigError(where=where, problem=f"{kind.name} cannot be set up", mend=f"{error}.") from error


def _origins(step: Step, given: Mapping[str, object], at: Callable[[str], str]) -> list[Origin]:
    strategy = step.strategy
    values: dict[str, object] = {"state": step.state.value}
    if step.scopes:
        values["scopes"] = [said(scope) for scope in step.scopes]
    values |= {field.name: getattr(strategy, field.name) for field in fields(strategy)}
    return [
        Origin(
            name=(name := f"strategies.{strategy.name}.{key}"),
            value=value,
            source=at(name) if key in given else "default",
            description="",
        )
        for key, value in values.items()
    ]
