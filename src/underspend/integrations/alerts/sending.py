"""What every way of sending has in common: what it takes, and how it fails."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from underspend.core.alerts import Alert
from underspend.core.money import show, to_usd

TITLE = "Underspend"
_LONGEST_WAIT = 300


class NotSentError(Exception):
    """An alert that did not get there, in words that hold no secret and nothing the other side said in its body.

    `again` is whether trying again may help, `after` the seconds that the other side asks to wait.
    """

    def __init__(self, problem: str, *, again: bool, after: int = 0) -> None:
        super().__init__(problem)
        self.again = again
        self.after = min(max(after, 0), _LONGEST_WAIT)


class Sender(Protocol):
    """One way to a person."""

    def send(self, alert: Alert, now: int) -> None:
        """Try once to deliver at an instant (µs since the epoch). Blocks for some seconds at most.

        Raises NotSentError, or ConfigError where what a reference leads to is not there.
        """
        ...


Text = Callable[[], str]
"""Looks a secret, or an address that is one, up when it is needed, so that it may change and is not kept."""


_WHYS = (
    (ConnectionRefusedError, "nothing listens there"),
    (socket.gaierror, "its name is not known"),
    (ssl.SSLError, "no secure connection"),
)


def why(error: Exception, seconds: float, otherwise: str) -> str:
    """What went wrong with a connection, in words that hold nothing of what the other side sent."""
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    known = next((words for kind, words in _WHYS if isinstance(error, kind)), None)
    return known or (error.strerror if isinstance(error, OSError) else None) or otherwise


def headline(alert: Alert) -> str:
    """A line of text that says how bad it is and what it is about."""
    return f"{TITLE}: {alert.severity.value}, {alert.kind.value.replace('_', ' ')}, {alert.subject}"


def message(alert: Alert) -> str:
    """The whole of an alert in a line of text: how its dollars are known, and how many like it were held back."""
    parts = [alert.words]
    if alert.dollars is not None and alert.evidence is not None:
        parts.append(f"({show(alert.dollars)}, {alert.evidence.value})")
    if alert.again:
        parts.append(f"{alert.again:,} more of these were held back.")
    return " ".join(parts)


def shape(alert: Alert) -> dict[str, object]:
    """An alert as JSON-ready values: dollars as exact text, `at` in microseconds since the epoch."""
    return {
        "version": 1,
        "id": alert.id,
        "kind": alert.kind.value,
        "subject": alert.subject,
        "severity": alert.severity.value,
        "words": alert.words,
        "usd": None if alert.dollars is None else format(to_usd(alert.dollars), "f"),
        "evidence": None if alert.evidence is None else alert.evidence.value,
        "key": alert.key,
        "at": alert.at,
        "held_back": alert.again,
    }
