import asyncio
from dataclasses import replace

from underspend.config import load
from underspend.core.budgets import Subject, claims
from underspend.core.holds import Override
from underspend.core.money import from_usd
from underspend.stores.holds.memory import MemoryHolds
from underspend.web.http import Request
from underspend.web.pages.budgets import budgets_page, cards
from underspend.web.pages.overview import overview_page

CONFIG = """
[budgets.day]
usd = "10"
action = "block"

[budgets.week]
usd = "100"
window = "calendar week"
scope = "project"
action = "downgrade"
downgrade_to = "<b>small"
"""


def with_budgets(site, folder, **spent):
    settings = load(home=folder, environ={}, text=CONFIG)
    holds = MemoryHolds()
    for budget in settings.budgets:
        holds.restore(budget.series, (), now=site.now())
        for name, usd in spent.items():
            asked = claims([budget], Subject(model="m", project=name), site.now())
            holds.settle(f"{budget.name} {name}", from_usd(usd), now=site.now(), claims=asked)
    return replace(site, settings=settings, holds=holds)


def page(site):
    response = asyncio.run(budgets_page(site, Request(path="/_/budgets", query={})))
    assert response.status == 200
    return response.body.decode()


def test_without_budgets_it_says_how_to_have_one(site):
    assert "[budgets.day]" in page(site)


def test_every_account_is_shown_with_its_bar(site, tmp_path):
    made = with_budgets(site, tmp_path, web="8.50", app="3")
    html = page(made)
    assert "$11.50" in html
    assert 'class="meter budget full"' in html
    assert "project web" in html
    assert "goes to &lt;b&gt;small" in html


def test_a_change_and_a_passed_threshold_are_said(site, tmp_path):
    made = with_budgets(site, tmp_path, web="8.50")
    made.holds.override(Override("day", None, made.now() + 10**9))
    made.status.budgets = lambda: {"late": 0, "crossings": [{"words": "80 % of <it>"}]}
    html = page(made)
    assert "paused until" in html
    assert "80 % of &lt;it&gt;" in html


def test_a_store_that_cannot_be_asked_is_a_warning(site, tmp_path):
    made = replace(with_budgets(site, tmp_path), holds=None)
    html = page(made)
    assert "could not be opened" in html
    assert "Nothing can be shown" in html


def test_the_overview_has_the_fullest(site, filled, tmp_path):
    assert asyncio.run(cards(site)) == []
    made = with_budgets(site, tmp_path, web="8.50")
    assert [each["level"] for each in asyncio.run(cards(made))] == ["high", ""]
    html = asyncio.run(overview_page(made, Request(path="/_/", query={}))).body.decode()
    assert 'data-part="budgets"' in html
    assert 'href="/_/budgets"' in html
