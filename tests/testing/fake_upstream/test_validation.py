from __future__ import annotations

import json
from typing import Any

import pytest

from underspend.testing.fake_upstream.api_error import ApiError
from underspend.testing.fake_upstream.prices import PriceList
from underspend.testing.fake_upstream.validation import (
    check_batch_item,
    check_count,
    check_message,
    unknown_model,
)
from underspend.testing.fake_upstream.view import RequestView

GOOD: dict[str, Any] = {
    "model": "claude-opus-4-6",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "x"}],
}


def check(headers: dict[str, str] | None = None, **change: Any) -> None:
    body = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    view = RequestView("POST", "/v1/messages", list((headers or {}).items()), json.dumps(body).encode())
    check_message(view, PriceList().find(view.model))


def test_a_good_request_passes() -> None:
    check()
    check(temperature=0.5, speed="fast")
    check(max_tokens=0)
    check(model="claude-opus-5-5", temperature=1)
    check(model="claude-opus-5", thinking={"type": "disabled"})
    check(model="claude-haiku-4-5", messages=[{"role": "assistant", "content": "{"}], inference_geo="global")
    check(thinking={"type": "enabled", "budget_tokens": 50}, tool_choice={"type": "any"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, "model: Field required"),
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"messages": None}, "messages: Field required"),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "robot"}]}, "messages.0.role"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": 128_001}, "maximum allowed number of output tokens"),
        ({"max_tokens": 0, "stream": True}, "stream"),
        ({"max_tokens": 0, "thinking": {"type": "enabled", "budget_tokens": 0}}, "enabled thinking"),
        ({"max_tokens": 0, "output_config": {"format": {}, "effort": "low"}}, ""),
        ({"max_tokens": 0, "tool_choice": {"type": "any"}}, "forced tool_choice"),
        ({"thinking": {"type": "enabled", "budget_tokens": 100}}, "greater than"),
        ({"model": "claude-opus-5-5", "temperature": 0.5}, "temperature"),
        ({"model": "claude-haiku-4-5", "inference_geo": "us"}, "inference_geo"),
        ({"model": "claude-sonnet-5-5", "speed": "fast"}, "fast mode"),
        ({"model": "claude-opus-4-8", "thinking": {"type": "enabled", "budget_tokens": 50}}, "thinking budgets"),
        ({"model": "claude-opus-5-5", "thinking": {"type": "disabled"}}, "cannot be disabled"),
        (
            {
                "model": "claude-opus-5",
                "thinking": {"type": "disabled"},
                "output_config": {"effort": "max"},
            },
            "cannot be disabled",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": "x"},
                    {"role": "assistant", "content": "{"},
                ]
            },
            "prefilled",
        ),
        ({"model": "claude-sonnet-5-5", "tool_choice": {"type": "tool", "name": "t"}}, "forced tool_choice"),
    ],
)
def test_bad_requests_are_refused(change: dict[str, Any], message: str) -> None:
    if message == "":
        change["output_config"]["format"] = {"type": "json_schema"}
        message = "output_config.format"
    with pytest.raises(ApiError, match=message) as caught:
        check(**change)
    assert caught.value.status == 400


def test_the_new_api_version_takes_no_sampling_parameters() -> None:
    check({"anthropic-version": "2023-06-01"}, temperature=0.3)
    with pytest.raises(ApiError, match="temperature"):
        check({"anthropic-version": "2026-10-21"}, temperature=1)


def test_counting_needs_a_model_and_messages() -> None:
    with pytest.raises(ApiError, match="messages"):
        check_count(RequestView("POST", "/", [], b'{"model":"x"}'))


@pytest.mark.parametrize("params", [{"stream": True}, {"max_tokens": 0}, {"speed": "fast"}, {"fallbacks": "default"}])
def test_what_a_batch_does_not_take(params: dict[str, Any]) -> None:
    check_batch_item({"max_tokens": 5})
    with pytest.raises(ApiError, match="batches"):
        check_batch_item(params)


def test_an_unknown_model_is_a_404() -> None:
    assert (unknown_model("x").status, unknown_model("x").kind) == (404, "not_found_error")
