import re

from reports.ledger_rows import add_call
from web.asgi_client import ask


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_a_session_call_by_call(dashboard, filled):
    page = words(ask(dashboard, "/_/sessions/s-one").text)
    assert "$0.0147 paid" in page
    assert "3 calls" in page


def test_a_session_whose_id_has_a_slash(dashboard, filled):
    assert 'href="/_/sessions/s%2F2"' in ask(dashboard, "/_/").text
    assert "<h1>&lt;b&gt;blog</h1>" in ask(dashboard, "/_/sessions/s%2F2").text


def test_a_cache_written_again_is_shown_with_its_cost(dashboard, ledger):
    add_call(ledger, "a", "2026-11-20T10:00:00+00:00", (10, 20_000, 0, 0, 100))
    add_call(ledger, "b", "2026-11-20T10:30:00+00:00", (10, 20_000, 0, 0, 100))
    page = words(ask(dashboard, "/_/sessions/s-one").text)
    assert "main 30 min 00 s 20k $0.0750" in page
