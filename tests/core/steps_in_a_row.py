"""Steps for the tests of what is watched."""

from __future__ import annotations

from typing import Any

from underspend.core.call import Verb
from underspend.core.steps import Step, Use

SECOND = 1_000_000
DOLLAR = 10**12


def use(tool: str = "Bash", what: str = "x", says: str = "y", *, failed: bool = False) -> Use:
    verbs = {"Bash": Verb.RUN, "Read": Verb.READ, "Edit": Verb.EDIT}
    return Use(tool, verbs.get(tool, Verb.OTHER), what.encode(), says.encode(), failed)


def step(number: int, *uses: Use, **more: Any) -> Step:
    base = {"at": number * 10 * SECOND, "session": "s", "turn": "t", "uses": uses, "cost": DOLLAR}
    return Step(**{**base, "prompt": f"{number}".encode(), **more})
