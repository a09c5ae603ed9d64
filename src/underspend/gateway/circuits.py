"""Circuit breakers: a target that fails again and again is left alone for a while, then tried with one call.

They choose among the targets of a fallback chain. Where a call has only one target they refuse nothing.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum

from underspend.core.ports import Clock

_MOST = 10_000
_SECOND = 1_000_000


class State(StrEnum):
    """`half_open`: one call is let through to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    until: int | None = None
    trying: bool = False


class Circuits:
    """One circuit for each key (an upstream, a credential, a model). Times are microseconds of `clock`."""

    def __init__(self, clock: Clock, *, failures: int, open_seconds: float) -> None:
        self._clock = clock
        self._failures = failures
        self._open_us = int(open_seconds * _SECOND)
        self._circuits: dict[Hashable, _Circuit] = {}

    def state(self, key: Hashable) -> State:
        """How a circuit is now."""
        circuit = self._circuits.get(key)
        if circuit is None or circuit.until is None:
            return State.CLOSED
        return State.OPEN if self._clock.now() < circuit.until or circuit.trying else State.HALF_OPEN

    def enter(self, key: Hashable) -> bool:
        """Whether a call may go. One that may has to say how it went: `succeeded`, `failed` or `left`."""
        match self.state(key):
            case State.CLOSED:
                return True
            case State.HALF_OPEN:
                self._circuits[key].trying = True
                return True
            case _:
                return False

    def succeeded(self, key: Hashable) -> None:
        """A call was answered: the circuit is closed."""
        self._circuits.pop(key, None)

    def failed(self, key: Hashable, *, retry_after: float | None = None) -> None:
        """A call was not answered. `retry_after` (seconds) is the provider's own word: until then it is left alone."""
        if key not in self._circuits and len(self._circuits) >= _MOST:
            self._circuits.pop(next(iter(self._circuits)))
        circuit = self._circuits.setdefault(key, _Circuit())
        circuit.failures += 1
        circuit.trying = False
        now = self._clock.now()
        if retry_after is not None:
            circuit.until = now + int(retry_after * _SECOND)
        elif circuit.until is not None or circuit.failures >= self._failures:
            circuit.until = now + self._open_us

    def left(self, key: Hashable) -> None:
        """A call went away before it could be told: the next one may try."""
        circuit = self._circuits.get(key)
        if circuit is not None:
            circuit.trying = False

    def open_now(self) -> list[Hashable]:
        """The circuits that are not closed."""
        return [key for key in self._circuits if self.state(key) is not State.CLOSED]
