"""Budgets: what is spent of each, what calls in flight hold, what is left, and which thresholds were passed."""

from __future__ import annotations

from typing import Any

from underspend.core.budget_words import described
from underspend.core.money import show
from underspend.reports import figures
from underspend.reports.budgets import Row, ends_in_words, standing_in_words
from underspend.web.http import Request, Response
from underspend.web.site import Site
from underspend.web.standings import standings
from underspend.web.templating import render

_FULL, _HIGH = 100, 80
_ACTIONS = {"warn": "warns", "downgrade": "goes to {}", "block": "blocks"}
_CARDS = 6


async def budgets_page(site: Site, request: Request) -> Response:  # noqa: ARG001  # every page takes the request
    """The page of budgets."""
    rows, problem = await standings(site)
    status = site.status.snapshot().get("budgets")
    told = status.get("crossings", []) if isinstance(status, dict) else []
    return render(
        "budgets.html",
        {
            "url": site.url,
            "rows": [_cells(row) for row in rows],
            "problem": problem,
            "told": [each["words"] for each in told],
            "configured": bool(site.settings.budgets),
        },
    )


async def cards(site: Site) -> list[dict[str, Any]]:
    """The fullest accounts, for the overview; none where there are no budgets."""
    rows, _ = await standings(site)
    return [_cells(row) for row in sorted(rows, key=lambda row: -(row.share or 0))[:_CARDS]]


def _cells(row: Row) -> dict[str, Any]:
    share = row.share
    held = 0 if not row.cap else min(_FULL, row.held * _FULL // row.cap)
    spent = 0 if share is None else min(_FULL, share)
    return {
        "name": row.budget.name,
        "what": described(row.budget, row.account),
        "action": _ACTIONS[row.budget.action.value].format(row.budget.downgrade_to),
        "whose": row.whose,
        "cap": "paused" if row.cap is None else show(row.cap),
        "spent": show(row.spent),
        "held": show(row.held),
        "left": figures.NONE if row.left is None else show(row.left),
        "percent": figures.NONE if share is None else f"{share} %",
        "spent_width": spent,
        "held_width": min(_FULL - spent, held),
        "level": "full" if spent >= _FULL else "high" if spent >= _HIGH else "",
        "ends": ends_in_words(row).partition(" (")[0],
        "change": standing_in_words(row).partition(" (")[0],
    }
