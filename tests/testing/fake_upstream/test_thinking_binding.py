from __future__ import annotations

from typing import Any

import pytest

from testing.fake_upstream.exchange import Got, fetch, message
from underspend.testing.fake_upstream import FakeUpstream, Queue, Reply, run_in_thread, thinking
from underspend.testing.fake_upstream.blocks import positions
from underspend.testing.fake_upstream.replies import UNSIGNED
from underspend.testing.fake_upstream.thinking_binding import enforce, sign, signature


def thinker(**options: Any) -> Any:
    return run_in_thread(Queue([], default=Reply(content=(thinking("hm"), "Said."))), **options)


def talk(up: FakeUpstream, *, edit: dict[str, Any], model: str = "claude-opus-5-5", first: str | None = None) -> Got:
    asked = {**message("One", system="You think.", cache_control={"type": "ephemeral"}), "model": first or model}
    said = fetch(up, body=asked).json["content"]
    history = [*asked["messages"], {"role": "assistant", "content": said}, {"role": "user", "content": "Two"}]
    return fetch(up, body={**asked, "messages": history, "model": model, **edit})


def test_an_untouched_history_is_accepted_whatever_else_changes() -> None:
    with thinker(bind_thinking=True) as up:
        for edit in ({}, {"output_config": {"effort": "low"}}, {"cache_control": None}, {"max_tokens": 7}):
            assert talk(up, edit=edit).status == 200


@pytest.mark.parametrize("edit", [{"system": "You think twice."}, {"tools": [{"name": "t"}]}])
def test_an_edited_prefix_is_refused_or_dropped_when_asked(edit: dict[str, Any]) -> None:
    with thinker(bind_thinking=True) as up:
        refused = talk(up, edit=edit)
        assert refused.status == 400
        assert refused.json["error"]["message"].startswith("messages.1.content.0: thinking block")
        drop = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
        assert talk(up, edit={**edit, "thinking": drop}).status == 200
    with thinker() as up:
        assert talk(up, edit=edit).status == 200


def test_another_model_is_refused_where_models_bind() -> None:
    with thinker(bind_thinking=True) as up:
        assert talk(up, edit={}, first="claude-opus-5-5", model="claude-sonnet-5-5").status == 400
        assert talk(up, edit={}, first="claude-opus-5-5", model="claude-opus-4-8").status == 200
        assert talk(up, edit={}, first="claude-opus-4-8", model="claude-opus-5-5").status == 200


def test_only_unsigned_thinking_is_signed() -> None:
    reply = Reply(content=(thinking("a"), thinking("b", signature="own"), "text"))
    blocks = sign(reply, "made").blocks()
    assert [block.get("signature") for block in blocks] == ["made", "own", None]
    assert thinking("a")["signature"] == UNSIGNED


def test_two_thinking_blocks_of_one_turn_share_its_prefix() -> None:
    before = {"messages": [{"role": "user", "content": "x"}]}
    made = signature(positions(before), "m")
    turn = [thinking("a", signature=made), {"type": "text", "text": "t"}, thinking("b", signature=made)]
    after = {"messages": [*before["messages"], {"role": "assistant", "content": turn}]}
    found = positions(after)
    assert enforce(found, after, "m") == found
