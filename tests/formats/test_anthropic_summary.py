from __future__ import annotations

import json

import pytest

from underspend.formats.anthropic_summary import holds_settings, record_of, request, summary_in

MESSAGES = [
    {"role": "user", "content": "mend it"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "secret", "signature": "s"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "t", "name": "Read", "input": {"file_path": "/a.py"}},
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x" * 9_000}]},
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "u", "content": [{"type": "text", "text": "ok"}, {"type": "image"}]},
            {"type": "image", "source": {}},
        ],
    },
]
RAW = json.dumps(MESSAGES).encode()


def test_the_record_says_who_said_and_did_what_without_thinking() -> None:
    said = record_of(RAW, 1, 3)
    assert said.splitlines()[:2] == ["assistant: I look.", 'assistant used Read: {"file_path":"/a.py"}']
    assert "mend it" not in said
    assert "secret" not in said
    assert "result: ok\n(image)\nuser: (image)" in said


def test_long_results_are_cut_in_the_middle() -> None:
    said = record_of(RAW, 2, 2)
    assert len(said) < 1_600
    assert " […] " in said


def test_what_was_summed_up_before_comes_first() -> None:
    assert record_of(RAW, 0, 0, earlier="Before.") == "Before.\nuser: mend it"


def test_the_request_is_one_question_with_a_limit() -> None:
    body = json.loads(request("cheap", "a record", 400))
    assert (body["model"], body["max_tokens"], len(body["messages"])) == ("cheap", 400, 1)
    assert "200 words" in body["system"]
    assert "a record" in body["messages"][0]["content"]


def test_a_message_that_says_more_may_set_something() -> None:
    assert not holds_settings(RAW, 0, 9)
    more = json.dumps([*MESSAGES, {"role": "system", "content": "", "output_config": {"effort": "low"}}]).encode()
    assert holds_settings(more, 3, 4)
    assert not holds_settings(more, 0, 3)


def reply(text: str, stop: str = "end_turn") -> bytes:
    return json.dumps({"content": [{"type": "text", "text": text}], "stop_reason": stop}).encode()


def test_a_whole_reply_is_a_summary_that_says_what_it_is() -> None:
    said = summary_in(reply(" It was mended.\n"))
    assert said.startswith("[Summary of what was said and done up to here;")
    assert said.endswith("\nIt was mended.")


@pytest.mark.parametrize("raw", [reply("half of", "max_tokens"), reply("  "), b"{}", b"no JSON", reply("", "refusal")])
def test_what_is_not_whole_is_none(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"summary|malformed|invalid|JSON"):
        summary_in(raw)
