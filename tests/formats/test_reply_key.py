from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.recorded import ROOT, recordings
from underspend.formats.reply_key import Question, Questions

HEADERS = [
    (b"anthropic-version", b"2023-06-01"),
    (b"anthropic-beta", b"a-2025-01-01,b-2025-02-02"),
    (b"user-agent", b"x"),
]
ASK: dict[str, Any] = {
    "model": "m",
    "max_tokens": 100,
    "temperature": 0,
    "top_p": 0.5,
    "stop_sequences": ["END"],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"b": 1, "a": 2.50}}},
    "metadata": {"user_id": "u"},
    "service_tier": "auto",
    "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
    "tools": [
        {"name": "Read", "description": "d", "input_schema": {"type": "object", "properties": {"z": {}, "a": {}}}},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
    ],
    "messages": [
        {"role": "user", "content": "What is in the file?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Read", "input": {"p": 1, "a": 2}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": "é 🎉 text", "is_error": False},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "text", "text": "go on", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            ],
        },
    ],
}


def dump(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def read(body: Any, **other: Any) -> Question | None:
    given_body = body if isinstance(body, bytes) else dump(body)
    around = {
        "tenant": "one",
        "provider": "https://p",
        "dialect": "anthropic",
        "target": "/v1/messages",
        "headers": HEADERS,
    }
    return Questions().read(given_body, **{**around, **other})


def key(body: Any, **other: Any) -> bytes:
    question = read(body, **other)
    assert question is not None
    return question.key


def dialect_of(url: str) -> str:
    return next(
        (
            name
            for mark, name in (("responses", "responses"), ("chat", "openai"), ("generate", "gemini"))
            if mark in url
        ),
        "anthropic",
    )


def recorded() -> list[tuple[str, Any]]:
    """One request body of each kind in the bundled recordings, with its dialect."""
    found: dict[tuple[str, ...], tuple[str, Any]] = {}
    for path in recordings.files(ROOT):
        if path.suffix not in {".yaml", ".json"} or path.name == "expected-usage.json":
            continue
        for exchange in recordings.exchanges(path):
            body = json.loads(exchange.request) if exchange.request else None
            if isinstance(body, dict) and len(exchange.request) < 20_000:
                dialect = dialect_of(exchange.url)
                found.setdefault((dialect, *sorted(body)), (dialect, body))
    return [("anthropic", ASK), *found.values()]


BODIES = recorded()


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value but those inside a breakpoint."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inner:
        if name != "cache_control":
            yield from paths(part, (*at, name))


def place(body: Any, at: tuple[Any, ...]) -> Any:
    for name in at:
        body = body[name]
    return body


def other_than(value: Any) -> list[Any]:
    match value:
        case bool():
            return [not value, None, int(value)]
        case int() | float():
            return [value + 1, -value - 1, str(value), [value]]
        case str():
            return [value + "x", value + " ", "" if value else "y", [value], {"text": value, "x": 1}]
        case None:
            return ["x", False, 0]
        case list():
            return [[*value, "x"], [*value, {}], [*value, *value[:1]] if value else [0], {"x": value}]
        case _:
            return [{**value, "x_unknown": 1}, {**value, "x_unknown": False}, [value], "x"]


def mutations(body: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The body with each of its values changed, left out, or put into another order."""
    for at in paths(body):
        value = place(body, at)
        for other in other_than(value) if at else other_than(value)[:2]:
            made = copy.deepcopy(body)
            if at:
                place(made, at[:-1])[at[-1]] = other
            else:
                made = other
            yield at, made
        if isinstance(value, list):
            for n in range(len(value) - 1):
                if value[n] != value[n + 1]:
                    made = copy.deepcopy(body)
                    swapped = place(made, at)
                    swapped[n], swapped[n + 1] = swapped[n + 1], swapped[n]
                    yield at, made
        if at and isinstance(place(body, at[:-1]), dict) and value is not None and (at, value) != (("stream",), False):
            made = copy.deepcopy(body)
            del place(made, at[:-1])[at[-1]]
            yield at, made


@pytest.mark.parametrize(("dialect", "body"), BODIES, ids=[f"{name}-{n}" for n, (name, _) in enumerate(BODIES)])
def test_no_value_anywhere_in_a_request_can_differ_in_a_hit(dialect: str, body: Any) -> None:
    questions, seen = Questions(), 0
    around = {"tenant": "one", "provider": "p", "dialect": dialect, "target": "/v1/messages", "headers": HEADERS}
    asked = questions.read(dump(body), **around)
    assert asked is not None
    same = [
        (at, made)
        for at, made in mutations(body)
        if (other := questions.read(dump(made), **around)) is not None and other.key == asked.key and not is_same(at)
    ]
    seen = sum(1 for _ in mutations(body))
    assert same == []
    assert seen > 10


def is_same(at: tuple[Any, ...]) -> bool:
    """Nothing outside breakpoints may be changed without notice."""
    return "cache_control" in at


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_two_changes_at_once_are_seen_too(data: st.DataObject) -> None:
    dialect, body = data.draw(st.sampled_from(BODIES))
    first = data.draw(st.sampled_from([made for _, made in mutations(body) if isinstance(made, dict)]))
    found = [made for _, made in mutations(first) if isinstance(made, dict) and made != body]
    second = data.draw(st.sampled_from(found))
    if text_of(second) != text_of(body):
        assert key(body, dialect=dialect) != key(second, dialect=dialect)


def text_of(body: Any) -> str:
    """The body as text, where not streaming is not said."""
    return json.dumps({name: body[name] for name in body if (name, body[name]) != ("stream", False)}, sort_keys=True)


def reordered(value: Any, names: list[str]) -> Any:
    return {name: value[name] for name in names}


def test_notations_that_mean_the_same_are_one() -> None:
    base = key(ASK)
    assert key(json.dumps(ASK, indent=3).encode()) == base
    assert key(json.dumps(ASK, ensure_ascii=True).encode()) == base
    assert key(reordered(ASK, sorted(ASK, reverse=True))) == base
    assert key({**ASK, "stream": False}) == base
    assert key({**ASK, "temperature": 0.0, "top_p": 0.50}) == base
    assert key({**ASK, "cache_control": {"type": "ephemeral", "ttl": "1h"}}) == base
    assert key({**ASK, "system": "Be kind."}) == base
    assert key({**ASK, "thinking": {"budget_tokens": 1024, "type": "enabled"}}) == base
    as_list = copy.deepcopy(ASK)
    as_list["messages"][0]["content"] = [
        {"text": "What is in the file?", "type": "text", "cache_control": {"type": "ephemeral"}, "citations": None}
    ]
    as_list["messages"][2]["content"][0]["content"] = [{"type": "text", "text": "é 🎉 text"}]
    del as_list["messages"][2]["content"][2]["cache_control"]
    as_list["tools"][0]["cache_control"] = {"type": "ephemeral"}
    as_list["messages"][1] = reordered(as_list["messages"][1], ["content", "role"])
    assert key(as_list) == base


def test_what_the_model_reads_as_text_keeps_its_order_and_digits() -> None:
    base = key(ASK)
    schema = copy.deepcopy(ASK)
    schema["tools"][0]["input_schema"]["properties"] = {"a": {}, "z": {}}
    put_in = copy.deepcopy(ASK)
    put_in["messages"][1]["content"][0]["input"] = {"a": 2, "p": 1}
    digits = dump(ASK).replace(b'"a":2.5', b'"a":2.50')
    for other in (dump(schema), dump(put_in), digits):
        assert key(other) != base


def test_a_breakpoint_that_says_more_counts() -> None:
    assert key({**ASK, "cache_control": {"type": "ephemeral", "scope": "all"}}) != key(ASK)


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "two"},
        {"tenant": ""},
        {"provider": "https://q"},
        {"dialect": "openai"},
        {"target": "/v1/messages?beta=true"},
        {"headers": [(b"anthropic-version", b"2024-01-01"), *HEADERS[1:]]},
        {"headers": [(b"anthropic-beta", b"a-2025-01-01"), HEADERS[0]]},
        {"headers": [*HEADERS, (b"anthropic-beta", b"c-2025-03-03")]},
        {"headers": [*HEADERS, (b"anthropic-version", b"2024-01-01")]},
        {"headers": [*HEADERS, (b"anthropic-unknown", b"1")]},
        {"headers": [*HEADERS, (b"openai-project", b"p")]},
    ],
)
def test_who_asks_whom_and_how_is_part_of_the_key(other: dict[str, Any]) -> None:
    assert key(ASK, **other) != key(ASK)


@pytest.mark.parametrize(
    "headers",
    [
        [*HEADERS[:2], (b"user-agent", b"y"), (b"x-stainless-retry-count", b"1"), (b"x-claude-code-session-id", b"s")],
        [HEADERS[0], (b"anthropic-beta", b"b-2025-02-02, a-2025-01-01")],
        [(b"anthropic-beta", b"b-2025-02-02"), HEADERS[0], (b"anthropic-beta", b",a-2025-01-01")],
        [*HEADERS, (b"x-goog-api-key", b"secret")],
    ],
)
def test_headers_that_cannot_change_the_reply_are_no_part(headers: list[tuple[bytes, bytes]]) -> None:
    assert key(ASK, headers=headers) == key(ASK)


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_no_two_callers_share_a_key(one: str, two: str, here: str, there: str) -> None:
    assert (key(ASK, tenant=one, provider=here) == key(ASK, tenant=two, provider=there)) == (
        (one, here) == (two, there)
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"model": "a", "model": "b"}',
        b'{"model":"a","messages":[{"role":"user","role":"user"}]}',
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"temperature": 1e999999999999999999999}',
    ],
    ids=range(9),
)
def test_what_cannot_be_read_beyond_doubt_has_no_key(raw: bytes) -> None:
    assert read(raw) is None


def test_a_call_is_read_once() -> None:
    questions = Questions()
    around = {"tenant": "t", "provider": "p", "dialect": "anthropic", "target": "/", "headers": []}
    first = questions.read(dump(ASK), **around)
    assert questions.read(dump(ASK), **around) is first
    for n in range(300):
        questions.read(dump({"model": str(n)}), **around)
    again = questions.read(dump(ASK), **around)
    assert again is not first
    assert again == first


@pytest.mark.parametrize(
    ("body", "varied"),
    [
        ({"temperature": 0}, False),
        ({"temperature": 0.0}, False),
        ({"temperature": None}, False),
        ({}, False),
        ({"temperature": 0.01}, True),
        ({"temperature": 1}, True),
        ({"temperature": "high"}, True),
    ],
)
def test_a_temperature_above_zero_is_noticed(body: dict[str, Any], varied: bool) -> None:  # a parameter
    question = read(body)
    assert question is not None
    assert question.varied is varied
    nested = read({"generationConfig": body}, dialect="gemini")
    assert nested is not None
    assert nested.varied is varied


USER = {"role": "user"}


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"mcp_servers": [{"url": "u"}]}, "MCP"),
        ({"mcp_servers": []}, ""),
        ({"container": "c"}, "container"),
        ({"conversation": "c"}, "conversation"),
        ({"background": True}, "background"),
        (
            {
                "messages": [
                    {**USER, "content": [{"type": "image", "source": {"type": "url", "url": "https://x"}}]},
                ]
            },
            "URL",
        ),
        (
            {
                "messages": [
                    {**USER, "content": [{"type": "tool_result", "content": [{"source": {"type": "url"}}]}]},
                ]
            },
            "URL",
        ),
        ({"messages": [{**USER, "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]}, "URL"),
        ({"messages": [{**USER, "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}]}, ""),
        ({"input": [{**USER, "content": [{"type": "input_image", "image_url": "https://x"}]}]}, "URL"),
        ({"contents": [{**USER, "parts": [{"fileData": {"fileUri": "gs://x"}}]}]}, "URL"),
        (ASK, ""),
    ],
)
def test_what_a_reply_depends_on_outside_the_request_is_named(body: dict[str, Any], what: str) -> None:
    first = next(iter(body))
    kind = str(body.get("messages", ""))
    dialect = {"input": "responses", "contents": "gemini"}.get(first, "openai" if "image_url" in kind else "anthropic")
    question = read(body, dialect=dialect)
    assert question is not None
    assert what in question.outside
    assert bool(question.outside) == bool(what)


@pytest.mark.parametrize(
    ("body", "safety"),
    [
        ({"stop_sequences": ["</severity>"]}, True),
        ({"safeguards": [{"type": "dangerous_tool_use"}]}, True),
        ({"stop_sequences": ["END"], "safeguards": []}, False),
    ],
)
def test_safety_checks_are_noticed(body: dict[str, Any], safety: bool) -> None:  # a parameter
    question = read(body)
    assert question is not None
    assert question.safety is safety


def test_streams_are_identities_of_their_own() -> None:
    streamed, whole = read({**ASK, "stream": True}), read({**ASK, "stream": False})
    assert streamed is not None
    assert whole is not None
    assert streamed.stream
    assert not whole.stream
    assert streamed.key != whole.key
    gemini = read({"contents": []}, dialect="gemini", target="/v1/models/m:streamGenerateContent?alt=sse")
    assert gemini is not None
    assert gemini.stream


def test_a_lone_question_has_a_frame_without_its_words() -> None:
    def asks(text: Any, **other: Any) -> Question:
        question = read({"model": "m", "system": "s", "messages": [{"role": "user", "content": text}], **other})
        assert question is not None
        return question

    one, two = asks(" How do I pay? "), asks([{"type": "text", "text": "What does it cost?"}])
    assert (one.asks, two.asks) == ("How do I pay?", "What does it cost?")
    assert one.frame == two.frame != b""
    assert one.key != two.key
    assert asks("x", system="t").frame != one.frame
    assert asks("x", x_unknown=1).frame != one.frame
    assert asks("x", metadata={"user_id": "u"}).frame == one.frame
    assert asks("x", tools=[{"name": "t"}]).frame == b""
    assert asks([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]).asks == ""
    assert asks([{"type": "image", "source": {}}]).asks == ""
    assert asks(None).asks == ""
    assert read(ASK).asks == ""  # type: ignore[union-attr]  # it is read
