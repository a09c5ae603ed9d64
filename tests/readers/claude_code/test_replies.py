from __future__ import annotations

import pytest

from readers.transcripts import answered, assistant, taken, tool, usage
from underspend.core.usage import Usage

THINKING = {"type": "thinking", "thinking": "hmm", "signature": "x" * 1300}
SEALED = {"type": "thinking", "thinking": "", "signature": "x" * 1300}


def test_a_reply_is_one_however_many_lines_it_has() -> None:
    lines = [
        assistant("msg_1", THINKING, message={"usage": usage(output_tokens=1), "stop_reason": None}),
        assistant("msg_1", {"type": "text", "text": "Hello."}, message={"usage": usage(output_tokens=50)}),
        assistant("msg_1", tool("t1", "Bash", command="ls"), message={"usage": usage(output_tokens=50)}),
    ]
    (reply,) = answered(taken(*lines))
    assert reply.metered.usage == Usage(input=1, cache_read=100, output=50)
    assert (reply.text_chars, reply.thinking_chars, [use.target for use in reply.tools]) == (6, 3, ["ls"])
    assert (reply.place.line, reply.finalised, reply.unseen_output) == (1, True, 0)


def test_it_begins_with_its_earliest_line() -> None:
    first, second = assistant("msg_1"), assistant("msg_1")
    (one,), (other,) = answered(taken(first, second)), answered(taken(second, first))
    assert one.at == other.at


def test_output_that_was_never_finalised_is_estimated_apart() -> None:
    lines = assistant("msg_1", {"type": "text", "text": "x" * 3600}, message={"stop_reason": None})
    (reply,) = answered(taken(lines))
    assert (reply.metered.usage.output, reply.unseen_output, reply.finalised) == (10, 990, False)


def test_sealed_thinking_is_estimated_by_its_signature() -> None:
    (reply,) = answered(taken(assistant("msg_1", SEALED, message={"stop_reason": None})))
    assert reply.thinking_chars == 1000
    assert reply.unseen_output == 278 - 10


def test_reported_thinking_goes_before_the_estimate() -> None:
    tokens = usage(output_tokens_details={"thinking_tokens": 500})
    (reply,) = answered(taken(assistant("msg_1", SEALED, message={"stop_reason": None, "usage": tokens})))
    assert reply.unseen_output == 500 - 10


def test_a_repeated_line_adds_nothing() -> None:
    line = assistant("msg_1", tool("t1"))
    assert answered(taken(line)) == answered(taken(line, line, line))


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"requestId": "req_1"}, "request:req_1"),
        ({"uuid": "u1"}, "entry:u1"),
        ({"uuid": None}, "entry:/projects/work/0a1b2c3d-0000-4000-8000-000000000001.jsonl:1"),
    ],
)
def test_a_reply_without_an_id(more: dict[str, object], key: str) -> None:
    assert [reply.message_id for reply in answered(taken(assistant(None, **more)))] == [key]


def test_a_reply_without_usage_is_listed() -> None:
    found = taken(assistant("msg_1", message={"usage": None}))
    assert answered(found) == []
    assert [item.why for item in found.skipped] == ["a reply without usage"]


def test_what_is_known_of_it() -> None:
    reason = {"cache_miss_reason": {"type": "tools_changed", "cache_missed_input_tokens": 7}}
    line = assistant(
        "msg_1",
        message={"diagnostics": reason},
        requestId="req_1",
        requestedModel="claude-opus-5-5",
        effort="high",
        attributionSkill="commit",
    )
    (reply,) = answered(taken(line))
    assert (reply.request_id, reply.asked_model, reply.effort) == ("req_1", "claude-opus-5-5", "high")
    assert (reply.skill, reply.version) == ("commit", "2.1.80")
    assert (reply.miss_reason, reply.missed_tokens) == ("tools_changed", 7)


@pytest.mark.parametrize("diagnostics", [None, 7, {}, {"cache_miss_reason": "x"}, {"cache_miss_reason": {"type": 3}}])
def test_diagnostics_of_another_form(diagnostics: object) -> None:
    assert answered(taken(assistant("msg_1", message={"diagnostics": diagnostics})))[0].miss_reason is None


def test_content_that_is_one_text() -> None:
    assert answered(taken(assistant("msg_1", message={"content": "Hello"})))[0].text_chars == 5
