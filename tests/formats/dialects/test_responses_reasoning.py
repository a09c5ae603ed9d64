from __future__ import annotations

import pytest

from underspend.formats.dialects.neutral import Thinking
from underspend.formats.dialects.responses_reasoning import (
    encrypted,
    read_reasoning,
    reasoning_item,
    signature_item,
    tool_signature,
)


@pytest.mark.parametrize(
    "thinking",
    [
        Thinking("a\n\nb", "gAAA", dialect="responses"),
        Thinking("a", dialect="responses"),
        Thinking("", "gA:AA:x", dialect="responses"),
        Thinking("a", "sig:with:colons", dialect="gemini"),
        Thinking("", redacted="data", dialect="anthropic"),
    ],
)
def test_a_client_keeps_any_providers_reasoning(thinking: Thinking) -> None:
    item = reasoning_item(thinking, id="rs_1")
    assert item["type"] == "reasoning"
    assert read_reasoning(item) == thinking
    assert tool_signature(item) is None


def test_openais_own_proof_stands_as_it_came() -> None:
    assert encrypted(Thinking("a", "gAAA", dialect="responses")) == "gAAA"
    assert encrypted(Thinking("a", "gAAA", dialect="gemini")) == "underspend:thinking:gemini:gAAA"


def test_the_signature_of_a_tool_call_is_no_reasoning() -> None:
    assert tool_signature(signature_item("sig:1", id="rs_1")) == "sig:1"


def test_reasoning_itself_is_read_where_there_is_no_summary() -> None:
    content = [{"type": "reasoning_text", "text": "one"}, {"type": "reasoning_text", "text": "two"}]
    assert read_reasoning({"summary": [], "content": content}).text == "one\n\ntwo"


def test_what_only_looks_like_a_mark_is_openais() -> None:
    assert read_reasoning({"encrypted_content": "underspend:x"}) == Thinking("", "underspend:x", dialect="responses")
