from __future__ import annotations

import pytest

from underspend.formats.dialects.gemini_problem import fault, in_stream, read_problem, stop_of
from underspend.formats.dialects.neutral import Problem, Stop

QUOTA = b'{"error":{"code":429,"message":"Quota, please.","status":"RESOURCE_EXHAUSTED"}}'


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("STOP", Stop.END),
        ("MAX_TOKENS", Stop.LENGTH),
        ("SAFETY", Stop.REFUSAL),
        ("PROHIBITED_CONTENT", Stop.REFUSAL),
        ("RECITATION", Stop.REFUSAL),
        ("MALFORMED_FUNCTION_CALL", None),
        ("UNEXPECTED_TOOL_CALL", None),
        ("OTHER", None),
        ("SOMETHING_NEW", None),
    ],
)
def test_a_reason_is_a_stop_or_a_fault(reason: str, stop: Stop | None) -> None:
    assert stop_of(reason) is stop


def test_a_fault_has_geminis_words_where_there_are_any() -> None:
    assert fault("OTHER", "Because.").message == "Because."
    assert fault("OTHER", None) == Problem("api_error", "Gemini ended the reply with OTHER", "OTHER")


@pytest.mark.parametrize("body", [QUOTA, b"[" + QUOTA + b"]"])
@pytest.mark.parametrize("status", [429, 200])
def test_an_error_keeps_its_words(body: bytes, status: int) -> None:
    assert read_problem(status, body) == Problem("rate_limit_error", "Quota, please.", "RESOURCE_EXHAUSTED")


@pytest.mark.parametrize(("body", "message"), [(b"<html>", "<html>"), (b"", "HTTP status 503")])
def test_another_form_is_told_whole(body: bytes, message: str) -> None:
    assert read_problem(503, body) == Problem("overloaded_error", message)


def test_an_error_in_a_stream_brings_its_status() -> None:
    assert in_stream({"code": 503, "message": "Later.", "status": "UNAVAILABLE"}).kind == "overloaded_error"
    assert in_stream({}) == Problem("api_error", "the provider gave no reason")
