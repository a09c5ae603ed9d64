import re
import shutil
from dataclasses import replace

import pytest

from reports.audit.reports import empty_report, report, rich_report
from underspend.audit.gateway_side import BothSides, Only
from underspend.web.audit_page import audit_page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def test_the_page_asks_for_nothing_and_runs_nothing():
    page = audit_page(rich_report())
    assert not re.search(r"<(script|link|img|iframe)|https?://|@import|url\(", page)
    assert "default-src 'none'" in page


def test_what_it_shows():
    page = audit_page(rich_report())
    for part in (
        "API-equivalent",
        "Prefixes written again after a pause",
        "export ENABLE_PROMPT_CACHING_1H=1\nclaude",
        "idle gap | of 70 minutes",
        "Paid over time, by lane",
        "Against Claude Code&#39;s own totals",
        "8 more",
        "broken could not be looked at",
    ):
        assert part in page


def test_the_gateway_is_shown_beside_the_transcripts():
    nothing = Only(what="past the gateway", calls=0, cost=0)
    compaction = Only(what="compaction calls", calls=2, cost=10**12)
    sides = BothSides(
        since=1, both=3, transcripts=10**12, gateway=10**12, before=nothing, past=nothing, only_gateway=(compaction,)
    )
    page = audit_page(replace(report(), gateway=sides))
    assert "only in the gateway: compaction calls" in page
    assert "past the gateway" not in page
    assert "gateway" not in audit_page(report())


def test_charts_have_titles_and_no_links():
    page = audit_page(report())
    assert "<title>2026-11-20: $0.106 paid\n4 calls" in page
    assert "href=" not in page


def test_text_of_others_is_escaped():
    made = report()
    made.groups["by_project"]["<b>x</b>"] = made.totals
    assert "<b>x</b>" not in audit_page(made)


def test_a_page_of_nothing():
    assert "There are no replies in this period." in audit_page(empty_report())


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_it_without_a_request_or_a_complaint(tmp_path, width):
    playwright = pytest.importorskip("playwright.sync_api")
    file = tmp_path / "audit.html"
    file.write_text(audit_page(rich_report()), encoding="utf-8")
    asked, said = [], []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto(file.as_uri())
        room = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        bars = page.locator(".plot rect:not(.hit)").count()
        browser.close()
    assert (len(asked), said) == (1, [])
    assert room <= 0
    assert bars > 0
