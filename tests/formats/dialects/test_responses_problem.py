from __future__ import annotations

import json

import pytest

from underspend.formats.dialects.neutral import Problem
from underspend.formats.dialects.responses_problem import failure, in_stream, kind_of, read_problem, write_problem


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (418, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "overloaded_error"),
        (599, "api_error"),
    ],
)
def test_the_status_says_what_kind_of_error_it_is(status: int, kind: str) -> None:
    assert kind_of(status) == kind


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"error":{"message":"No such model.","type":"invalid_request_error","code":"x"}}', "No such model.", "x"),
        (b'{"error":{"message":"No.","type":"t","code":null}}', "No.", "t"),
        (b'[{"error":{"message":"No."}}]', "No.", None),
        (b'{"error":"model is not loaded"}', "model is not loaded", None),
        (b"<html>bad gateway</html>", "<html>bad gateway</html>", None),
        (b'{"detail":"Not Found"}', '{"detail":"Not Found"}', None),
        (b"\xff", "\ufffd", None),
        (b"", "HTTP status 404", None),
    ],
)
def test_the_words_are_the_providers_own(body: bytes, message: str, code: str | None) -> None:
    assert read_problem(404, body) == Problem("not_found_error", message, code)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "rate_limit_exceeded"}, "rate_limit_error"),
        ({"code": "insufficient_quota", "type": "insufficient_quota"}, "rate_limit_error"),
        ({"type": "overloaded_error"}, "overloaded_error"),
        ({"code": "invalid_prompt"}, "invalid_request_error"),
        ({"code": "context_length_exceeded"}, "invalid_request_error"),
        ({"code": "server_error"}, "api_error"),
        ({}, "api_error"),
    ],
)
def test_in_a_stream_the_code_says_what_kind_it_is(error: dict[str, str], kind: str) -> None:
    assert in_stream({**error, "message": "m"}).kind == kind


def test_a_failed_response_under_a_good_status_is_told_by_its_code() -> None:
    body = b'{"status":"failed","error":{"code":"server_error","message":"Sorry."}}'
    assert read_problem(200, body) == Problem("api_error", "Sorry.", "server_error")


@pytest.mark.parametrize("kind", ["api_error", "overloaded_error", "timeout_error"])
def test_the_providers_own_faults_are_server_errors(kind: str) -> None:
    error = json.loads(write_problem(Problem(kind, "m")))["error"]
    assert error == {"message": "m", "type": "server_error", "param": None, "code": None}


def test_other_kinds_keep_their_name() -> None:
    assert json.loads(write_problem(Problem("rate_limit_error", "m", "c")))["error"]["type"] == "rate_limit_error"


def test_a_failed_response_always_has_a_code() -> None:
    assert failure(Problem("rate_limit_error", "m"))["code"] == "rate_limit_exceeded"
    assert failure(Problem("api_error", "m"))["code"] == "server_error"
    assert failure(Problem("api_error", "m", "mine"))["code"] == "mine"
