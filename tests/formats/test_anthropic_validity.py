from __future__ import annotations

from typing import Any

import pytest

from underspend.formats.anthropic_validity import altered_thinking, violations

EPHEMERAL = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}


def use(name: str = "t1") -> dict[str, Any]:
    return {"type": "tool_use", "id": name, "name": "Read", "input": {}}


def result(name: str = "t1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "content": "x", **more}


def text(said: str = "x", **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def model(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def broken(*messages: Any, **more: Any) -> list[str]:
    return violations({"messages": list(messages), "max_tokens": 9, **more})


ASK = {"role": "user", "content": "look"}


@pytest.mark.parametrize(
    "messages",
    [
        [ASK],
        [ASK, model(THOUGHT, use()), user(result(), text())],
        [ASK, model(use()), {"role": "system", "content": "a reminder"}, user(result())],
        [ASK, model(use("t1"), use("t2")), user(result("t2")), user(result("t1"))],
        [ASK, {"role": "system", "content": [], "output_config": {"effort": "low"}}],
        [ASK, model(use()), user(result(content=None))],
    ],
)
def test_what_the_api_takes_breaks_no_rule(messages: list[Any]) -> None:
    assert broken(*messages) == []


@pytest.mark.parametrize(
    ("messages", "rule"),
    [
        ([], "no message"),
        ([model(text())], "first message"),
        ([ASK, {"role": "tool", "content": "x"}], "no such role"),
        ([ASK, user()], "empty content"),
        ([ASK, {"role": "user", "content": ""}], "empty content"),
        ([user(text(" "))], "empty text"),
        ([ASK, model(use()), user(result(content=[text("")]))], "empty text in a result"),
        ([ASK, model(use()), user(text())], "has no result"),
        ([ASK, model(use()), model(text()), user(text(), result())], "not stand first"),
        ([ASK, model(text()), user(result())], "no use right before"),
        ([ASK, model(use()), user(result(), result())], "two results"),
        ([ASK, model(use()), user(result()), model(use()), user(result())], "occurs twice"),
        ([ASK, model({"type": "thinking", "thinking": "hm"})], "without its signature"),
        ([ASK, model({"type": "redacted_thinking"})], "without its data"),
        ([user(THOUGHT, text())], "not the model's"),
        ([user(*[text(cache_control=EPHEMERAL)] * 5)], "5 breakpoints"),
        ([user(text(cache_control=EPHEMERAL), text(cache_control=HOUR))], "an hour after"),
        ([user(text(cache_control={"type": "ephemeral", "ttl": "1d"}))], "no known lifetime"),
        ([user(text(cache_control={"type": "eternal"}))], "not ephemeral"),
        ([ASK, model({**THOUGHT, "cache_control": EPHEMERAL})], "takes none"),
        (
            [ASK, model(use()), user(result(content=[text(cache_control=HOUR)], cache_control=EPHEMERAL))],
            "an hour after",
        ),
    ],
)
def test_each_rule_is_seen_broken(messages: list[Any], rule: str) -> None:
    assert any(rule in said for said in broken(*messages))


def test_breakpoints_are_counted_over_the_whole_request() -> None:
    marked = text(cache_control=EPHEMERAL)
    more = {"tools": [{"name": "a", "cache_control": EPHEMERAL}], "system": [marked]}
    assert broken(user(marked), **more, cache_control=EPHEMERAL) == []
    assert broken(user(marked, marked), **more, cache_control=EPHEMERAL) == ["5 breakpoints"]
    assert broken(ASK, tools=[{"name": "a", "defer_loading": True, "cache_control": EPHEMERAL}]) != []


def test_limits() -> None:
    assert broken(ASK, max_tokens=None) == ["no max_tokens"]
    assert broken(ASK, max_tokens=0) == []
    budget = {"type": "enabled", "budget_tokens": 9}
    assert broken(ASK, thinking=budget) == ["max_tokens leaves no room beside the thinking budget"]
    assert broken(ASK, thinking=budget, max_tokens=10) == []


def test_thinking_may_go_with_its_message_but_never_change() -> None:
    other = {**THOUGHT, "signature": "s2"}
    before = {"messages": [ASK, model(THOUGHT), ASK, model(other)]}
    assert altered_thinking(before, before) == []
    assert altered_thinking(before, {"messages": [ASK, model(other)]}) == []
    assert altered_thinking(before, {"messages": [ASK, model(other), ASK, model(THOUGHT)]}) != []
    assert altered_thinking(before, {"messages": [ASK, model({**THOUGHT, "thinking": "h"})]}) != []
