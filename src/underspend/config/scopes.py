"""[[strategies.<name>.scopes]] tables → scopes: other states for a project, a key or an agent's calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from underspend.core.call import Role
from underspend.core.errors import ConfigError
from underspend.core.scopes import Scope
from underspend.core.strategy import State

_WHOSE = ("project", "key", "role", "agent_type")


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    state: State
    project: str | None = None
    key: str | None = None
    role: Role | None = None
    agent_type: str | None = None


def scopes_from(tables: object, strategy: str, at: Callable[[str], str]) -> tuple[Scope, ...]:
    """The scopes of a strategy in their order: the first that fits a call counts.

    Raises ConfigError, which names the table by its number, for one without a state, with a key that there is not, or
    that says nothing of whose calls it means.
    """
    where = f"strategies.{strategy}.scopes"
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(
            where=at(where), problem="scopes are a list of tables", mend=f"Write [[{where}]] above each of them."
        )
    return tuple(_scope(table, number, where, at) for number, table in enumerate(tables, 1))


def said(scope: Scope) -> dict[str, str]:
    """A scope as it is written: what is given, and its state."""
    given = {name: getattr(scope, name) for name in _WHOSE if getattr(scope, name) is not None}
    return {**{name: str(value) for name, value in given.items()}, "state": scope.state.value}


def _scope(table: dict[str, Any], number: int, where: str, at: Callable[[str], str]) -> Scope:
    whose = ", ".join(_WHOSE)
    try:
        made = msgspec.convert(table, _Table)
    except msgspec.ValidationError as error:
        mend = f"A scope has state (off, shadow or on) and of {whose} those it is limited to."
        raise ConfigError(where=at(where), problem=f"scope {number} will not do: {error}", mend=mend) from error
    if not any(getattr(made, name) for name in _WHOSE):
        mend = f"Give it one of {whose}; for all calls set the strategy's own state."
        raise ConfigError(where=at(where), problem=f"scope {number} fits all calls", mend=mend)
    return Scope(state=made.state, project=made.project, key=made.key, role=made.role, agent_type=made.agent_type)
