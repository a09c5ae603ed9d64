"""The closed union of what a strategy may do to a call. Each edit says why, in words for the user.

A new edit is added here, in `engine.apply` (what it does to the Call) and in the wire formats (what it does to the
bytes); the type checker finds every place that must learn it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from underspend.core.call import Call


@dataclass(frozen=True, slots=True)
class SetModel:
    """Send the call to another model of the same provider."""

    model: str
    why: str


@dataclass(frozen=True, slots=True)
class Warn:
    """Change nothing; tell the user."""

    why: str


class RefusalKind(StrEnum):
    """What kind of limit refused the call; the wire formats turn it into the provider's own error type."""

    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Refuse:
    """Do not send the call. `why` is what the client's user reads."""

    kind: RefusalKind
    why: str


Edit: TypeAlias = SetModel | Warn | Refuse


def alters_meaning(edit: Edit) -> bool:
    """Whether the reply could differ because of it; such edits are shadow until the user turns them on."""
    return isinstance(edit, SetModel)


def changes(edit: Edit, call: Call) -> bool:
    """Whether the edit would do anything to this call."""
    return not isinstance(edit, SetModel) or edit.model != call.model
