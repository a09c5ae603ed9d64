import subprocess
import sys

import pytest

from web.asgi_client import ask


def test_health(dashboard):
    answer = ask(dashboard, "/_/health")
    assert (answer.status, answer.body) == (200, b"ok")


def test_head_sends_the_length_and_no_body(dashboard):
    answer = ask(dashboard, "/_/health", "HEAD")
    assert (answer.headers["content-length"], answer.body) == ("2", b"")


def test_nothing_is_written_through_these_addresses(dashboard):
    assert ask(dashboard, "/_/api/status", "POST").status == 405


@pytest.mark.parametrize("path", ["/_/", "/_/health", "/_/api/status", "/_/metrics", "/_/nowhere"])
def test_every_answer_carries_the_policy(dashboard, path):
    headers = ask(dashboard, path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/_/nowhere", "/_/calls/", "/_/calls/zzzz", "/_/sessions/x", "/_/static/../app.py"])
def test_what_is_not_there_is_a_page_that_says_so(dashboard, path):
    answer = ask(dashboard, path)
    assert answer.status == 404
    assert "Nothing here" in answer.text


def test_a_bad_query_is_explained(dashboard):
    answer = ask(dashboard, "/_/?since=soon")
    assert answer.status == 400
    assert "is no time: write 2026-11-20" in answer.text


def test_a_fault_stays_on_its_page(dashboard, site, monkeypatch):
    monkeypatch.setattr(type(site.status), "snapshot", lambda self: {}["x"])
    answer = ask(dashboard, "/_/api/status")
    assert (answer.status, answer.json) == (500, {"error": "KeyError: 'x'"})


def test_importing_the_app_loads_neither_templates_nor_tables():
    said = "import sys, underspend.web.app; print(sorted({'jinja2', 'rich'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
