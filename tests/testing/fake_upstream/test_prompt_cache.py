"""Hand-computed bills of the prompt cache. Block sizes are exact: `text(n)` is a text block of n tokens."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testing.fake_upstream.prompts import FACTS, MINIMUM, OPUS, ask, assistant, lanes, text, user
from underspend.testing.fake_upstream import PromptCache, build_prompt
from underspend.testing.fake_upstream.api_error import ApiError
from underspend.testing.fake_upstream.clock import SECOND


def test_a_prefix_is_written_then_read() -> None:
    cache = PromptCache()
    body = {"system": [text(600, ttl="5m")], "messages": [user(text(10))]}
    assert lanes(ask(cache, body)) == (10, 0, 600, 0)
    assert lanes(ask(cache, body, at=1)) == (10, 600, 0, 0)


def test_a_growing_conversation_reads_the_old_part_and_writes_the_new() -> None:
    cache = PromptCache()
    first = [user(text(700, ttl="5m"))]
    assert lanes(ask(cache, {"messages": first})) == (0, 0, 700, 0)
    grown = [user(text(700)), assistant(text(20)), user(text(30, "b", ttl="5m"))]
    assert lanes(ask(cache, {"messages": grown}, at=10)) == (0, 700, 50, 0)


@pytest.mark.parametrize(("added", "read"), [(19, 600), (20, 0)])
def test_lookback_sees_twenty_positions_with_the_breakpoint_as_the_first(added: int, read: int) -> None:
    cache = PromptCache()
    ask(cache, {"messages": [user(text(600, ttl="5m"))]})
    new = [text(10, "b") for _ in range(added - 1)]
    placed = ask(cache, {"messages": [user(text(600), *new, text(10, "b", ttl="5m"))]}, at=1)
    assert lanes(placed) == (0, read, 600 - read + 10 * added, 0)


def test_an_intermediate_breakpoint_saves_what_the_lookback_would_miss() -> None:
    cache = PromptCache()
    ask(cache, {"messages": [user(text(600, ttl="5m"))]})
    new = [text(10, "b") for _ in range(29)]
    new[14] = text(10, "b", ttl="5m")
    placed = ask(cache, {"messages": [user(text(600), *new, text(10, "b", ttl="5m"))]}, at=1)
    assert lanes(placed) == (0, 600, 300, 0)


def test_lookback_finds_writes_and_not_merely_equal_content() -> None:
    cache = PromptCache()
    ask(cache, {"messages": [user(text(600), text(100, "b"), text(100, "c", ttl="5m"))]})
    placed = ask(cache, {"messages": [user(text(600), text(100, "b"), text(100, "d", ttl="5m"))]}, at=1)
    assert lanes(placed) == (0, 0, 800, 0)


def test_mixed_lifetimes_bill_up_to_the_highest_1h_breakpoint_at_1h_and_the_rest_at_5m() -> None:
    cache = PromptCache()
    ask(cache, {"system": [text(600, ttl="1h")], "messages": [user(text(5))]})
    body = {
        "system": [text(600, ttl="1h"), text(200, "b", ttl="1h")],
        "messages": [user(text(300, "c", ttl="5m"), text(7))],
    }
    assert lanes(ask(cache, body, at=1)) == (7, 600, 300, 200)


def test_a_hit_above_the_1h_breakpoint_leaves_only_5m_writes() -> None:
    cache = PromptCache()
    body = {"system": [text(600, ttl="1h")], "messages": [user(text(100, ttl="5m"))]}
    ask(cache, body)
    grown = {
        "system": [text(600, ttl="1h")],
        "messages": [user(text(100)), assistant(text(8)), user(text(50, ttl="5m"))],
    }
    assert lanes(ask(cache, grown, at=1)) == (0, 700, 58, 0)


@pytest.mark.parametrize(("ttl", "seconds"), [("5m", 300), ("1h", 3600)])
def test_lifetime_counts_from_the_start_of_the_request(ttl: str, seconds: int) -> None:
    body = {"messages": [user(text(600, ttl=ttl))]}
    for age, read in ((seconds - 0.000001, 600), (seconds, 0)):
        cache = PromptCache()
        ask(cache, body, at=0, began=20)
        assert ask(cache, body, at=age).cache_read == read


def test_a_read_refreshes_with_the_lifetime_of_the_write() -> None:
    cache = PromptCache()
    written = {"messages": [user(text(600, ttl="1h"))]}
    read = {"messages": [user(text(600, ttl="5m"))]}
    ask(cache, written)
    assert lanes(ask(cache, read, at=3000)) == (0, 600, 0, 0)
    assert lanes(ask(cache, read, at=3000 + 3599)) == (0, 600, 0, 0)


def test_refreshing_keeps_a_5m_entry_alive_as_long_as_it_is_read() -> None:
    cache = PromptCache()
    body = {"messages": [user(text(600, ttl="5m"))]}
    ask(cache, body)
    assert all(ask(cache, body, at=at).cache_read == 600 for at in range(299, 3000, 299))


def test_parallel_identical_prefixes_are_written_once_each() -> None:
    cache = PromptCache()
    body = {"messages": [user(text(600, ttl="5m"))]}
    prompt = build_prompt(body, workspace="w", model=OPUS, facts=FACTS.find(OPUS))
    together = [cache.admit(prompt, minimum=MINIMUM, now=at) for at in range(5)]
    assert [lanes(placed) for placed in together] == [(0, 0, 600, 0)] * 5
    for placed in together:
        cache.began(placed, now=2 * SECOND)
    assert cache.admit(prompt, minimum=MINIMUM, now=2 * SECOND - 1).cache_read == 0
    assert cache.admit(prompt, minimum=MINIMUM, now=2 * SECOND).cache_read == 600


def test_a_response_that_never_begins_writes_nothing() -> None:
    cache = PromptCache()
    body = {"messages": [user(text(600, ttl="5m"))]}
    prompt = build_prompt(body, workspace="w", model=OPUS, facts=FACTS.find(OPUS))
    cache.admit(prompt, minimum=MINIMUM, now=0)
    assert len(cache) == 0


@pytest.mark.parametrize(("size", "written"), [(511, 0), (512, 512)])
def test_below_the_minimum_nothing_is_cached_and_nothing_said(size: int, written: int) -> None:
    placed = ask(PromptCache(), {"messages": [user(text(size, ttl="5m"))]})
    assert lanes(placed) == (size - written, 0, written, 0)


def test_the_minimum_counts_the_whole_prefix() -> None:
    body = {
        "tools": [{"name": "t", "description": "d" * 1600, "input_schema": {"type": "object"}}],
        "system": [text(200, ttl="5m")],
        "messages": [user(text(5))],
    }
    assert ask(PromptCache(), body).cache_write_5m >= MINIMUM


def test_the_minimum_is_the_models_own() -> None:
    body = {"messages": [user(text(3000, ttl="5m"))]}
    assert ask(PromptCache(), body, model="claude-haiku-4-5").cache_write_5m == 0
    assert ask(PromptCache(), body, model="claude-opus-4-7").cache_write_5m == 3000


def test_prefix_order_is_tools_system_messages() -> None:
    cache = PromptCache()
    tool = {"name": "t", "description": "d" * 4000, "input_schema": {}, "cache_control": {"type": "ephemeral"}}
    body = {"messages": [user(text(10))], "system": [text(600, ttl="5m")], "tools": [tool]}
    written = ask(cache, body)
    changed = {**body, "system": [text(600, "b", ttl="5m")]}
    placed = ask(cache, changed, at=1)
    assert placed.cache_read == written.cache_write_5m - 600
    assert placed.cache_write_5m == 600


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hello", [{"type": "text", "text": "hello"}]),
        ([{"type": "text", "text": "hello"}], [{"text": "hello", "type": "text", "cache_control": None}]),
        (
            [{"type": "tool_result", "tool_use_id": "a", "content": "x"}],
            [{"content": [{"type": "text", "text": "x"}], "tool_use_id": "a", "type": "tool_result"}],
        ),
    ],
)
def test_spellings_of_one_content_are_one_block(one: Any, other: Any) -> None:
    cache = PromptCache()
    system = [text(600)]
    tail = text(10, ttl="5m")
    ask(cache, {"system": system, "messages": [{"role": "user", "content": one}, user(tail)]})
    placed = ask(cache, {"system": system, "messages": [{"role": "user", "content": other}, user(tail)]}, at=1)
    assert placed.cache_write_5m == 0
    assert placed.cache_read > 600


def test_moving_the_breakpoint_does_not_change_the_prefix() -> None:
    cache = PromptCache()
    ask(cache, {"messages": [user(text(600, ttl="5m"))]})
    assert ask(cache, {"messages": [user(text(600), text(5, ttl="5m"))]}, at=1).cache_read == 600


def test_deferred_tools_are_outside_the_prefix() -> None:
    cache = PromptCache()
    deferred = {"name": "later", "description": "d" * 4000, "defer_loading": True}
    body = {"system": [text(600, ttl="5m")], "messages": [user(text(8))]}
    ask(cache, body)
    assert lanes(ask(cache, {**body, "tools": [deferred]}, at=1)) == (8, 600, 0, 0)


def test_key_order_inside_a_tool_schema_is_content() -> None:
    cache = PromptCache()
    body = {"messages": [user(text(600, ttl="5m"))]}
    ask(cache, {**body, "tools": [{"name": "t", "input_schema": {"a": 1, "b": 2}}]})
    other = ask(cache, {**body, "tools": [{"name": "t", "input_schema": {"b": 2, "a": 1}}]}, at=1)
    same = ask(cache, {**body, "tools": [{"input_schema": {"a": 1, "b": 2}, "name": "t"}]}, at=2)
    assert (other.cache_read, same.cache_read > 600) == (0, True)


def sectioned(**changes: Any) -> dict[str, Any]:
    """Three breakpoints: tools, system, messages; what is read says which sections survived a change."""
    tool = {"name": "t", "description": "d" * 4000, "input_schema": {}, "cache_control": {"type": "ephemeral"}}
    base = {
        "tools": [tool],
        "system": [text(1000, "s", ttl="5m")],
        "messages": [user(text(500, "m", ttl="5m"))],
    }
    return {**base, **changes}


def surviving(before: dict[str, Any], after: dict[str, Any], model: str = OPUS) -> str:
    cache = PromptCache()
    whole = ask(cache, before, model=model).cache_write_5m
    read = ask(cache, after, at=1, model=model).cache_read
    if read == 0:
        return "nothing"
    if read >= whole:
        return "all"
    return "tools and system" if read > 1500 else "tools"


PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + b"\0\0\0\x1c" * 2).decode()
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
SEARCH = {"type": "web_search_20260209", "name": "web_search"}
CITED = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "x"},
    "citations": {"enabled": True},
}


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({}, "all"),
        ({"tools": [{"name": "u", "description": "d" * 4000, "input_schema": {}}]}, "nothing"),
        ({"tools": [*sectioned()["tools"], SEARCH]}, "tools"),
        ({"speed": "fast"}, "tools"),
        ({"messages": [*sectioned()["messages"], user(CITED)]}, "tools"),
        ({"tool_choice": {"type": "any"}}, "tools and system"),
        ({"tool_choice": {"type": "auto"}}, "all"),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, "tools and system"),
        ({"messages": [*sectioned()["messages"], user(IMAGE)]}, "tools and system"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "tools and system"),
        ({"thinking": {"type": "adaptive"}}, "all"),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, "all"),
        ({"output_config": {"effort": "low"}}, "tools and system"),
        ({"output_config": {"effort": "medium"}}, "all"),
        ({"max_tokens": 5, "stream": True, "metadata": {"user_id": "x"}}, "all"),
    ],
)
def test_what_a_change_invalidates(change: dict[str, Any], left: str) -> None:
    assert surviving(sectioned(), sectioned(**change)) == left


def test_a_budget_change_invalidates_messages() -> None:
    small = sectioned(thinking={"type": "enabled", "budget_tokens": 2000})
    large = sectioned(thinking={"type": "enabled", "budget_tokens": 4000})
    assert surviving(small, large, model="claude-opus-4-5") == "nothing"
    big = {"system": [text(5000, "s", ttl="5m")]}
    assert surviving({**small, **big}, {**large, **big}, model="claude-opus-4-5") == "tools and system"


@pytest.mark.parametrize(("model", "read"), [("claude-sonnet-4-6", True), ("claude-sonnet-4-5", False)])
def test_a_new_question_drops_old_thinking_only_on_older_models(model: str, read: bool) -> None:
    cache = PromptCache()
    thought = {"type": "thinking", "thinking": "hm " * 400, "signature": "s"}
    result = {"type": "tool_result", "tool_use_id": "a", "content": "r"}
    call = {"type": "tool_use", "id": "a", "name": "t", "input": {}}
    turn = [user(text(2000)), assistant(thought, call)]
    ask(cache, {"messages": [*turn, user({**result, "cache_control": {"type": "ephemeral"}})]}, model=model)
    grown = [*turn, user(result), assistant(text(20)), user(text(20, ttl="5m"))]
    placed = ask(cache, {"messages": grown}, at=1, model=model)
    assert (placed.cache_read > 0) is read


def test_thinking_of_the_running_turn_is_kept_on_older_models() -> None:
    cache = PromptCache()
    thought = {"type": "thinking", "thinking": "hm " * 400, "signature": "s"}
    call = {"type": "tool_use", "id": "a", "name": "t", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "a", "content": "r"}
    ask(cache, {"messages": [user(text(2000, ttl="5m"))]}, model="claude-sonnet-4-5")
    grown = [user(text(2000)), assistant(thought, call), user({**result, "cache_control": {"type": "ephemeral"}})]
    placed = ask(cache, {"messages": grown}, at=1, model="claude-sonnet-4-5")
    assert placed.cache_read == 2000
    assert placed.cache_write_5m > 300


def test_models_and_workspaces_do_not_share() -> None:
    cache = PromptCache()
    body = {"messages": [user(text(2000, ttl="5m"))]}
    ask(cache, body)
    assert ask(cache, body, at=1, model="claude-sonnet-5-5").cache_read == 0
    assert ask(cache, body, at=1, workspace="other").cache_read == 0
    assert ask(cache, body, at=1).cache_read == 2000


def refused(body: dict[str, Any]) -> str:
    with pytest.raises(ApiError) as caught:
        build_prompt(body, workspace="w", model=OPUS, facts=FACTS.find(OPUS))
    assert caught.value.status == 400
    return caught.value.message


def test_five_breakpoints_are_refused() -> None:
    assert "maximum of 4" in refused({"messages": [user(*[text(10, ttl="5m") for _ in range(5)])]})


def test_1h_after_5m_is_refused() -> None:
    body = {"system": [text(10, ttl="5m")], "messages": [user(text(10, ttl="1h"))]}
    assert "must not come after" in refused(body)


def test_automatic_caching_takes_the_last_block() -> None:
    cache = PromptCache()
    body = {"cache_control": {"type": "ephemeral"}, "messages": [user(text(600))]}
    assert lanes(ask(cache, body)) == (0, 0, 600, 0)
    grown = {**body, "messages": [*body["messages"], assistant(text(10)), user(text(10))]}
    assert lanes(ask(cache, grown, at=1)) == (0, 600, 20, 0)


def test_automatic_caching_walks_back_over_thinking_and_empty_text() -> None:
    body = {
        "cache_control": {"type": "ephemeral"},
        "messages": [
            user(text(600)),
            assistant({"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "text", "text": ""}),
        ],
    }
    assert ask(PromptCache(), body).cache_write_5m == 600


def test_automatic_caching_uses_a_slot() -> None:
    four = [text(10, ttl="5m") for _ in range(4)]
    assert "top-level" in refused({"cache_control": {"type": "ephemeral"}, "messages": [user(*four, text(10))]})
    same = {"cache_control": {"type": "ephemeral"}, "messages": [user(*four)]}
    build_prompt(same, workspace="w", model=OPUS, facts=None)


def test_automatic_caching_refuses_another_lifetime_on_the_last_block() -> None:
    body = {"cache_control": {"type": "ephemeral", "ttl": "1h"}, "messages": [user(text(10, ttl="5m"))]}
    assert "conflicts" in refused(body)


def test_nothing_is_written_at_or_below_the_hit() -> None:
    cache = PromptCache()
    ask(cache, {"system": [text(600)], "messages": [user(text(100, ttl="5m"))]})
    both = {"system": [text(600, ttl="5m")], "messages": [user(text(100, ttl="5m"))]}
    assert lanes(ask(cache, both, at=1)) == (0, 700, 0, 0)
    assert ask(cache, {"system": [text(600, ttl="5m")], "messages": [user(text(9))]}, at=2).cache_read == 0


def test_expired_entries_are_forgotten() -> None:
    cache = PromptCache()
    for number in range(50):
        ask(cache, {"messages": [user(text(600, chr(97 + number % 26) + str(number), ttl="5m"))]}, at=number)
    ask(cache, {"messages": [user(text(600, "z", ttl="5m"))]}, at=10_000)
    assert len(cache) == 1
    cache.clear()
    assert len(cache) == 0


blocks_drawn = st.lists(st.tuples(st.integers(8, 400), st.sampled_from("abc")), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@given(
    requests=st.lists(
        st.tuples(blocks_drawn, st.sets(st.integers(0, 24), max_size=4), st.integers(0, 400)), max_size=8
    ),
    ttl=st.sampled_from(["5m", "1h"]),
)
def test_every_token_is_billed_once(requests: list[tuple[list[tuple[int, str]], set[int], int]], ttl: str) -> None:
    cache = PromptCache()
    at = 0
    for sizes, marks, pause in requests:
        at += pause
        content = [text(n, fill, ttl if i in marks else None) for i, (n, fill) in enumerate(sizes)]
        placed = ask(cache, {"messages": [user(*content)]}, at=at)
        assert min(lanes(placed)) >= 0
        assert placed.prompt == sum(n for n, _ in sizes)
        again = ask(cache, {"messages": [user(*content)]}, at=at)
        assert again.cache_write_5m == again.cache_write_1h == 0
        assert again.input == placed.input
