"""The wire's own limits, from `data/limits.toml`, where each stands with its source."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from underspend.pricing.capabilities import thinking_budgets

EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")
"""Every word for effort, weakest first."""


@cache
def limits(provider: str) -> dict[str, Any]:
    """What is known of a provider's wire; empty for one without limits of its own."""
    found: dict[str, Any] = _document().get(provider, {})
    return found


@cache
def openai_efforts(model: str) -> tuple[str, ...] | None:
    """The words for effort that a reasoning model of OpenAI's takes; None where they are not known."""
    families = (family for family in _document()["openai_models"] if model in family["models"])
    return next((tuple(family["efforts"]) for family in families), None)


@cache
def _document() -> dict[str, Any]:
    file = resources.files("underspend.formats.dialects") / "data" / "limits.toml"
    return tomllib.loads(file.read_text("utf-8"))


def budget_for(effort: str) -> int:
    """The thinking budget, in tokens, that stands for an effort."""
    budgets = thinking_budgets()
    return budgets.get("least" if effort == "minimal" else effort, budgets["high"])


def effort_for(budget: int) -> str:
    """The effort that stands for a thinking budget."""
    budgets = thinking_budgets()
    return next((effort for effort in ("low", "medium") if budget <= budgets[effort]), "high")


def nearest_effort(effort: str, taken: tuple[str, ...] | None) -> str | None:
    """The effort itself where the model takes it, else the nearest weaker one, else the nearest stronger.

    None where it takes none at all. A word that is not among `EFFORTS` is passed on as it is.
    """
    if taken is None or effort in taken or effort not in EFFORTS:
        return effort
    at = EFFORTS.index(effort)
    order = (*reversed(EFFORTS[:at]), *EFFORTS[at + 1 :])
    return next((word for word in order if word in taken), None)
