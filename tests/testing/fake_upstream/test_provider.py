from __future__ import annotations

import http.client

import anthropic
import pytest

from testing.fake_upstream.exchange import Ask, fetch, message
from underspend.testing.fake_upstream import FakeUpstream, Limits, run_in_thread


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/nothing", 404, "not_found_error"),
        ("POST", "/v1/messages/cache_touch", 404, "not_found_error"),
        ("PUT", "/v1/messages", 405, "invalid_request_error"),
        ("GET", "/v1/models/claude-next", 404, "not_found_error"),
        ("GET", "/v1/messages/batches/msgbatch_none", 404, "not_found_error"),
        ("GET", "/v1/files/file_none", 404, "not_found_error"),
    ],
)
def test_what_is_not_there_is_said_in_the_shape_of_the_api(
    ask: Ask, method: str, path: str, status: int, kind: str
) -> None:
    got = ask(path, method=method)
    assert (got.status, got.json["error"]["type"]) == (status, kind)
    assert got.json["request_id"] == got.headers["request-id"]


def test_a_credential_is_required(ask: Ask) -> None:
    got = ask(body=message(), key=None)
    assert (got.status, got.json["error"]["type"]) == (401, "authentication_error")
    assert ask(body=message(), key=None, headers={"authorization": "Bearer t"}).status == 200


def test_greetings_need_no_credential(ask: Ask) -> None:
    head = ask("/", method="HEAD", key=None)
    assert (head.status, head.body) == (200, b"")
    assert ask("/api/hello", method="GET", key=None).json == {"message": "hello"}


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null"])
def test_a_body_that_is_no_json_object_is_refused(ask: Ask, raw: bytes) -> None:
    assert ask(body=raw).json["error"]["type"] == "invalid_request_error"


def test_a_body_that_is_too_large_is_refused(ask: Ask) -> None:
    got = ask(body=b" " * (32 * 1024 * 1024 + 1))
    assert (got.status, got.json["error"]["type"]) == (413, "request_too_large")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/models", "/v1/files", "/anything"])
def test_a_fault_header_works_on_every_path(ask: Ask, path: str) -> None:
    got = ask(path, method="GET", headers={"x-fake-status": "503", "x-fake-retry-after": "2"})
    assert (got.status, got.headers["retry-after"]) == (503, "2")


def status_outside(port: int) -> int:
    """The status of a path outside the prefix."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v1/models", headers={"x-api-key": "k"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_everything_lives_under_the_prefix() -> None:
    with run_in_thread(prefix="/p/proj1") as up:
        assert up.url.endswith("/p/proj1")
        assert fetch(up, body=message()).status == 200
        assert fetch(up, "/api/hello", method="GET").status == 200
        port = up.url.removesuffix("/p/proj1").rsplit(":", 1)[1]
        assert status_outside(int(port)) == 404


def test_enforced_limits_answer_429_with_retry_after() -> None:
    with run_in_thread(limits=Limits(requests=1, enforce=True)) as up:
        fetch(up, body=message())
        got = fetch(up, body=message())
    assert (got.status, got.json["error"]["type"]) == (429, "rate_limit_error")
    assert 1 <= int(got.headers["retry-after"]) <= 60


def test_models_as_the_sdk_reads_them(up: FakeUpstream) -> None:
    with anthropic.Anthropic(base_url=up.url, api_key="k") as client:
        ids = [model.id for model in client.models.list(limit=5)]
        assert len(ids) == len(set(ids)) == 18
        assert ids[0].endswith("-5-2")
        found = client.models.retrieve("claude-haiku-4-5")
        assert (found.id, found.max_tokens) == ("claude-haiku-4-5-20251001", 64_000)
