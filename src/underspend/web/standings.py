"""How budgets stand, for the page and the JSON."""

from __future__ import annotations

import asyncio

from underspend.core.holds import HoldsError
from underspend.pricing.catalogue import catalogue
from underspend.reports.budgets import Ledger, Row, budget_rows
from underspend.web.site import Site


async def standings(site: Site) -> tuple[list[Row], str]:
    """How all budgets stand, and why that cannot be said; neither where there are none. Reads in a thread."""
    if not site.settings.budgets:
        return [], ""
    holds = site.holds
    if holds is None:
        return [], "The store of the budgets could not be opened; see underspend status."
    ledger = Ledger(site.engine, catalogue().with_overrides(site.settings.prices), site.settings.subscription.act)
    try:
        return await asyncio.to_thread(budget_rows, site.settings.budgets, holds, site.now(), ledger=ledger), ""
    except HoldsError as error:
        return [], str(error)
