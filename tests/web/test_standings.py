import asyncio
from dataclasses import replace

from underspend.config import load
from underspend.core.holds import HoldsError
from underspend.stores.holds.memory import MemoryHolds
from underspend.web.standings import standings
from web.asgi_client import ask
from web.pages.test_budgets import CONFIG, with_budgets


def test_without_budgets_there_is_nothing(site):
    assert asyncio.run(standings(site)) == ([], "")


def test_a_store_that_was_not_opened_or_cannot_be_asked_is_said(site, tmp_path):
    settings = load(home=tmp_path, environ={}, text=CONFIG)
    rows, why = asyncio.run(standings(replace(site, settings=settings)))
    assert (rows, "could not be opened" in why) == ([], True)

    class Down(MemoryHolds):
        def overrides(self, *, now):
            raise HoldsError(where="there", problem="gone")

    rows, why = asyncio.run(standings(replace(site, settings=settings, holds=Down())))
    assert (rows, "gone" in why) == ([], True)


def test_they_are_json_too(site, tmp_path):
    from underspend.web import app

    made = with_budgets(site, tmp_path)
    dashboard = app.create(
        engine=made.engine,
        live=made.live,
        status=made.status,
        settings=made.settings,
        now=made.now,
        holds=made.holds,
    )
    found = ask(dashboard, "/_/api/budgets").json
    assert [row["budget"] for row in found["budgets"]] == ["day", "week"]
    assert found["problem"] is None
    assert ask(dashboard, "/_/budgets").status == 200
