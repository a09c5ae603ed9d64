import pytest

from underspend.audit.wire_prompt import estimated, prompt_of
from underspend.promptcache import InvalidPromptError

TEXT = {"type": "text", "text": "hello"}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "found"}


def digest(content, role="user", **more):
    return prompt_of({"model": "claude-opus-5-5", "messages": [{"role": role, "content": content}], **more}).digests[-1]


@pytest.mark.parametrize(
    "content",
    [
        [TEXT],
        [{"text": "hello", "type": "text"}],
        [{**TEXT, "cache_control": {"type": "ephemeral"}}],
        [{**TEXT, "citations": None}],
    ],
)
def test_one_content_in_any_notation_is_one_prompt(content):
    assert digest(content) == digest("hello")


def test_a_result_in_any_notation_is_one_prompt():
    inner = {"type": "text", "text": "found", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    listed = {**RESULT, "content": [inner]}
    assert digest([listed]) == digest([RESULT])
    body = {"messages": [{"role": "user", "content": [listed]}]}
    assert prompt_of(body).breakpoints == ((0, "1h"),)


def test_the_order_of_a_tools_input_is_content():
    use = {"type": "tool_use", "id": "t", "name": "Read"}
    assert digest([{**use, "input": {"a": 1, "b": 2}}]) != digest([{**use, "input": {"b": 2, "a": 1}}])


def test_the_role_is_content_and_the_bounds_of_messages_are_not():
    assert digest("hello") != digest("hello", role="assistant")
    two = [{"role": "user", "content": "hello"}, {"role": "user", "content": "hello"}]
    assert prompt_of({"model": "claude-opus-5-5", "messages": two}).digests[-1] == digest([TEXT, TEXT])


def test_a_default_said_out_loud_is_the_same_key():
    assert digest("hello", output_config={"effort": "medium"}, thinking={"type": "adaptive"}) == digest("hello")
    assert digest("hello", output_config={"effort": "high"}) != digest("hello")


def test_an_effort_within_the_conversation_changes_what_follows_it():
    first = {"role": "user", "content": "hello"}
    plain = prompt_of({"messages": [first, {"role": "system", "content": "x"}]})
    tuned = prompt_of({"messages": [first, {"role": "system", "content": "x", "output_config": {"effort": "low"}}]})
    assert plain.digests[0] == tuned.digests[0]
    assert plain.digests[1] != tuned.digests[1]


def test_a_deferred_tool_stands_where_a_search_brings_it_in():
    tools = [{"name": "Later", "defer_loading": True, "input_schema": {}}]
    found = {**RESULT, "content": [{"type": "tool_reference", "tool_name": "Later"}]}
    body = {"tools": tools, "messages": [{"role": "user", "content": [found]}]}
    assert len(prompt_of(body).digests) == 1
    assert prompt_of(body).total > prompt_of({**body, "tools": []}).total


def test_older_models_drop_the_thinking_of_finished_turns():
    messages = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, TEXT]},
        {"role": "user", "content": "and now?"},
    ]
    sizes = {
        m: len(prompt_of({"model": m, "messages": messages}).sizes) for m in ("claude-opus-4-6", "claude-haiku-4-5")
    }
    assert sizes == {"claude-opus-4-6": 4, "claude-haiku-4-5": 4}
    assert len(prompt_of({"messages": messages}, model="claude-haiku-4-5-20251001").sizes) == 3


def test_web_search_stands_behind_the_tools():
    body = {"tools": [{"type": "web_search_20250305", "name": "web_search"}, {"name": "Read"}], "system": "s"}
    with_search, without = prompt_of(body), prompt_of({**body, "tools": body["tools"][1:]})
    assert with_search.digests[0] == without.digests[0]
    assert with_search.digests[-1] != without.digests[-1]


def test_breakpoints_and_the_automatic_one():
    body = {"system": [{**TEXT, "cache_control": {"type": "ephemeral", "ttl": "1h"}}], "messages": []}
    assert prompt_of(body).breakpoints == ((0, "1h"),)
    said = {"messages": [{"role": "user", "content": "x"}], "cache_control": {"type": "ephemeral"}}
    assert prompt_of(said, minimum=9).breakpoints == ((0, "5m"),)
    with pytest.raises(InvalidPromptError):
        prompt_of({**body, "cache_control": {"type": "ephemeral"}})


def test_what_is_no_request_is_an_empty_prompt():
    assert prompt_of({"messages": "?", "tools": 3, "system": None}).total == 0


def test_tokens_are_estimated_by_size_and_images_at_their_cap():
    assert estimated({"type": "text", "text": "x" * 350}) == 107
    image = {"type": "image", "source": {"type": "base64", "data": "A" * 90_000}}
    assert estimated(image) == 1568
    assert estimated({"type": "tool_result", "content": [image]}) > 1568
