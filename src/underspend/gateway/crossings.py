"""Thresholds of budgets that were passed, as alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from underspend.core.alerts import Tells, crossed
from underspend.core.budgets import Crossing, Scope
from underspend.core.ports import Clock

OnCrossing = Callable[[Crossing], None]
"""Takes a crossing that nobody has told yet; returns at once and never raises."""

_SCOPE = 3
"""Where an account's name says the scope: after the budget, the window and the zone."""


def crossings_told(tells: Tells, clock: Clock) -> OnCrossing:
    """Tells each crossing it is given.

    Whoever finds crossings asks the holds' store whether one was told in its window; so the next window's is never
    held back as said before, however short the window.
    """

    def tell(crossing: Crossing) -> None:
        alert = crossed(
            budget=crossing.budget,
            account=crossing.account,
            whose=whose(crossing.account),
            percent=crossing.percent,
            spent=crossing.spent,
            cap=crossing.cap,
            at=clock.now(),
        )
        tells.tell(replace(alert, key=f"budget|{crossing.percent}|{crossing.until}|{crossing.account}"))

    return tell


def whose(account: str) -> str:
    """Who an account belongs to, for people: "project web"; empty where it counts all calls."""
    parts = account.split("|")
    if len(parts) <= _SCOPE + 1 or parts[_SCOPE] == Scope.ALL:
        return ""
    value = parts[_SCOPE + 1].replace("%7C", "|").replace("%25", "%")
    return f"{parts[_SCOPE]} {value}"
