import re

import pytest

from web.asgi_client import ask

browser_only = pytest.mark.browser
ROW = {"id": "live0001", "started_at": 1_795_192_200_000_000, "state": "open", "model_asked": "claude-opus-5-5"}


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_a_newcomer_is_told_the_exact_command(dashboard):
    page = ask(dashboard, "/_/").text
    assert "ANTHROPIC_BASE_URL=http://127.0.0.1:4100 claude" in page
    assert "data-empty" in page


def test_figures(dashboard, filled):
    page = words(ask(dashboard, "/_/").text)
    assert "Today $0.0147" in page
    assert "vs. $0.111 yesterday by this time" in page
    assert "saved $0.986" in page
    assert "88.9% read from it" in page
    assert "How we know: 99.8% billed, 0.2% estimated. Days are those of UTC." in page


def test_what_is_unpriced_or_estimated_is_loud(dashboard, filled):
    page = words(ask(dashboard, "/_/").text)
    assert "unpriced: new-model (1 call, 75 tokens) is missing from every total" in page
    assert '[prices."new-model"]' in page.replace("&#34;", '"')
    assert "1 call (0.2% of paid) are estimated" in page


def test_names_from_the_ledger_are_escaped(dashboard, filled):
    page = ask(dashboard, "/_/").text
    assert "<b>blog" not in page
    assert "&lt;b&gt;blog" in page


def test_the_address_holds_the_filter(dashboard, filled):
    page = ask(dashboard, "/_/?project=shop&since=2026-11-20").text
    assert 'aria-label="remove the filter project shop"' in page
    assert 'href="/_/?since=2026-11-20"' in page
    assert "bbbb2222" not in page


def test_a_filter_that_fits_nothing_is_still_a_page(dashboard, filled):
    assert "No calls in this time." in ask(dashboard, "/_/?project=none").text


def test_subscription_dollars_are_labelled(dashboard, ledger):
    from reports.ledger_rows import add_call

    add_call(ledger, "a", "2026-11-20T10:00:00+00:00", (500, 0, 0, 0, 0), billing="oauth")
    page = words(ask(dashboard, "/_/").text)
    assert "at API prices; on your subscription" in page
    assert "1 call ran on a subscription: their dollars are what API prices would charge" in page


def test_trouble_of_the_gateway_is_shown(dashboard, site, filled):
    site.status.fault("ledger", "disk full")
    assert "ledger failed 1×: disk full; calls went on" in words(ask(dashboard, "/_/").text)


@browser_only
@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(246, 245, 241)"), ("dark", "rgb(19, 21, 24)")])
def test_the_page_in_a_browser(url, filled, visit, scheme, paper):
    seen = visit(f"{url}/_/", scheme=scheme)
    page = seen.page
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == paper
    assert page.locator(".plot a").count() == 30
    assert page.get_by_role("link", name="Friday 20 November: $0.0147 paid").count() == 1
    page.wait_for_selector("#pulse.on")
    assert {address.split("/_/")[0] for address in seen.requests} == {url}
    assert seen.complaints == []


@browser_only
def test_every_control_has_a_name(url, filled, visit):
    page = visit(f"{url}/_/").page
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("a, svg[role], table")]
        .filter((e) => e.tagName !== "TABLE" && !(e.getAttribute("aria-label") || e.textContent.trim()))
        .map((e) => e.outerHTML)"""
    )
    assert unnamed == []


@browser_only
def test_a_tooltip_shows_exact_figures(url, filled, visit):
    page = visit(f"{url}/_/").page
    page.locator(".cards article").first.locator("[data-tip]").first.hover()
    assert page.locator("#tip").inner_text() == "$0.014685 paid"
    page.locator(".plot a").last.focus()
    assert page.locator("#tip").inner_text().startswith("Friday 20 November: $0.0147 paid\n3 calls")
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()


@browser_only
def test_a_call_appears_when_it_opens_and_is_filled_in_when_it_settles(url, filled, visit, site):
    seen = visit(f"{url}/_/")
    page = seen.page
    page.wait_for_selector("#pulse.on")
    site.live.publish(ROW)
    row = page.locator('tr[data-id="live0001"]')
    row.wait_for()
    assert row.locator("[data-f=paid]").inner_text() == "…"
    site.live.publish({**ROW, "state": "settled", "outcome": "ok", "cost_pico": 5 * 10**11, "input_tokens": 1000})
    # In one look: the figures are fetched anew soon after, from a ledger that does not hold this call.
    first = 'tbody[data-live] tr:first-child[data-id="live0001"]'
    page.locator(f"{first} [data-f=paid]", has_text="$0.500").wait_for()
    assert seen.complaints == []


@browser_only
def test_a_call_that_the_filter_leaves_out_does_not_appear(url, filled, visit, site):
    page = visit(f"{url}/_/?project=shop").page
    page.wait_for_selector("#pulse.on")
    site.live.publish({**ROW, "project": "blog"})
    site.live.publish({**ROW, "project": "shop", "id": "live0002"})
    page.locator('tr[data-id="live0002"]').wait_for()
    assert page.locator('tr[data-id="live0001"]').count() == 0


@browser_only
def test_figures_follow_a_settled_call(url, filled, visit, site):
    from reports.ledger_rows import add_call

    page = visit(f"{url}/_/").page
    page.wait_for_selector("#pulse.on")
    add_call(filled, "eeee5555", "2026-11-20T13:00:00+00:00", (0, 0, 0, 0, 200_000))
    site.live.publish({**ROW, "state": "settled"})
    page.get_by_text("$3.01").first.wait_for(timeout=8_000)


@browser_only
def test_the_empty_page_fills_in_by_itself(url, ledger, visit, site):
    from reports.ledger_rows import add_call

    page = visit(f"{url}/_/").page
    assert page.get_by_role("heading", name="Point Claude Code here").is_visible()
    page.wait_for_selector("#pulse.on")
    add_call(ledger, "a", "2026-11-20T13:00:00+00:00", (0, 0, 0, 0, 200_000))
    site.live.publish({**ROW, "state": "settled"})
    page.get_by_role("heading", name="Costliest sessions").wait_for(timeout=8_000)


@browser_only
@pytest.mark.parametrize("path", ["", "calls/aaaa1111", "sessions/s-one"])
def test_nothing_sticks_out_of_a_phone(url, filled, visit, path):
    page = visit(f"{url}/_/{path}", width=390).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@browser_only
def test_keys_choose_the_time(url, filled, visit):
    page = visit(f"{url}/_/").page
    page.keyboard.press("t")
    page.wait_for_url("**since=2026-11-20")
