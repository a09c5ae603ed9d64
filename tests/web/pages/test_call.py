import re

import pytest

from web.asgi_client import ask


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_prompt_bill_and_decisions(dashboard, filled):
    page = words(ask(dashboard, "/_/calls/aaaa1111").text)
    assert "claude-sonnet-5 $0.0144 paid" in page
    assert "cached until here: 3k tokens, 54.5%" in page
    assert "cache write 5m 2,000 $3.75 / MTok $0.0075" in page
    assert "route model → claude-haiku-5 a title needs no large model done $0.0300 $0.0200 $0.0100" in page


def test_what_is_unpriced_or_cut_short_is_said(dashboard, filled):
    assert "No price is known for new-model" in ask(dashboard, "/_/calls/cccc3333").text
    page = words(ask(dashboard, "/_/calls/dddd4444").text)
    assert "aborted" in page
    assert "The reply&#39;s end was not seen" in page


def test_a_long_prompt_is_folded(dashboard, filled):
    from reports.ledger_rows import add_call, add_prompt

    add_call(filled, "long0001", "2026-11-20T10:00:00+00:00", (5000, 0, 0, 0, 1))
    add_prompt(filled, "long0001", [("messages", "text", f"b{n}", 10) for n in range(500)])
    page = words(ask(dashboard, "/_/calls/long0001").text)
    assert "420 blocks between are not shown here" in page


@pytest.mark.browser
def test_the_page_in_a_browser(url, filled, visit):
    seen = visit(f"{url}/_/calls/aaaa1111", scheme="dark")
    seen.page.locator(".prompt-bar rect").first.hover()
    assert seen.page.locator("#tip").inner_text().startswith("1. Bash")
    assert seen.complaints == []
    assert {address.split("/_/")[0] for address in seen.requests} == {url}
