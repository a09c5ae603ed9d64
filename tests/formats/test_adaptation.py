from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underspend.core.edits import ReplaceContent, SetEffort, SetMaxOutput, SetModel
from underspend.formats.adaptation import adapt, obstacles, refused_for_us, without
from underspend.formats.anthropic_edits import edited
from underspend.formats.anthropic_validity import violations
from underspend.formats.json_slices import patched, trimmed
from underspend.pricing.capabilities import EFFORTS, capabilities
from underspend.testing.fake_upstream import PriceList
from underspend.testing.fake_upstream.api_error import ApiError
from underspend.testing.fake_upstream.validation import check_message
from underspend.testing.fake_upstream.view import RequestView

MODELS = [model.id for model in PriceList().models]
HAIKU, OPUS, SONNET = "claude-haiku-4-5-20251001", "claude-opus-5-5", "claude-sonnet-5-5"
CLEAR = {"type": "clear_thinking_20251015", "keep": "all"}
COMPACT = {"type": "compact_20260112"}
ADAPTIVE = {"type": "adaptive", "display": "updates"}
BODY: dict[str, Any] = {
    "model": OPUS,
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "look"}]},
        {"role": "system", "content": "it is late", "output_config": {"effort": "low"}},
        {"role": "assistant", "content": [{"type": "text", "text": "fine"}]},
        {"role": "user", "content": "and?"},
        {"role": "system", "content": [], "output_config": {"effort": "high"}},
    ],
    "system": "be brief",
    "max_tokens": 128_000,
    "thinking": ADAPTIVE,
    "context_management": {"edits": [CLEAR, COMPACT]},
    "output_config": {"effort": "xhigh", "format": {"a": 1.50}},
    "speed": "fast",
    "metadata": {"x": 1.50, "model": "not this"},
}


def to(model: str, body: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(edited(json.dumps((body or BODY) | more).encode(), [SetModel(model, why="")]))
    return made


def test_an_older_model_gets_what_it_knows() -> None:
    made = to(HAIKU)
    assert made["model"] == HAIKU
    assert made["max_tokens"] == 64_000
    assert made["thinking"] == {"type": "enabled", "budget_tokens": 31_999}
    assert made["output_config"] == {"format": {"a": 1.50}}
    assert made["context_management"] == {"edits": [CLEAR]}
    assert "speed" not in made
    assert [message["role"] for message in made["messages"]] == ["user", "user", "assistant", "user"]
    assert all("output_config" not in message for message in made["messages"])
    assert violations(made) == []


def test_every_byte_that_need_not_change_stays() -> None:
    raw = json.dumps(BODY, indent=2).encode()
    made = edited(raw, [SetModel(SONNET, why="")])
    assert made == raw.replace(f'"model": "{OPUS}"'.encode(), f'"model": "{SONNET}"'.encode()).replace(
        b',\n  "speed": "fast"', b""
    )


def test_a_model_of_another_provider_or_one_nobody_knows_changes_the_name_alone() -> None:
    raw = json.dumps(BODY).encode()
    for edit in (SetModel("gpt-5.6", why="", provider="openai"), SetModel("claude-unheard-of", why="")):
        assert json.loads(edited(raw, [edit])) == BODY | {"model": edit.model}


def test_a_name_left_to_us_is_adapted_by_what_it_becomes() -> None:
    made = to(HAIKU, BODY | {"model": "auto", "messages": BODY["messages"][:1]})
    assert (made["model"], made["max_tokens"]) == (HAIKU, 64_000)


def test_a_newer_model_is_not_given_what_was_taken_from_it() -> None:
    old = {"model": HAIKU, "messages": BODY["messages"][:1], "max_tokens": 9_000, "temperature": 0.2, "top_k": 5}
    made = to(OPUS, old, thinking={"type": "enabled", "budget_tokens": 5_000})
    assert made == {
        **{key: old[key] for key in ("messages", "max_tokens")},
        "model": OPUS,
        "thinking": {"type": "adaptive"},
    }
    assert to(OPUS, old, temperature=1)["temperature"] == 1
    # Nothing was said of thinking, which for the old model means none: the new one is asked for as little as it can.
    assert to(SONNET, old)["thinking"] == {"type": "between_tools"}
    assert to("claude-haiku-5-5", old)["thinking"] == {"type": "disabled"}
    assert "thinking" not in to(OPUS, old)
    assert "thinking" not in to("claude-opus-4-8", old)


def test_thinking_that_can_only_be_off_at_low_effort_lowers_it() -> None:
    body = {
        "model": "claude-opus-4-8",
        "messages": BODY["messages"][:1],
        "max_tokens": 9,
        "thinking": {"type": "disabled"},
    }
    made = to("claude-haiku-5-5", body, output_config={"effort": "max"})
    assert (made["thinking"], made["output_config"]) == ({"type": "disabled"}, {"effort": "high"})


def test_a_budget_leaves_room_for_the_reply_or_there_is_none() -> None:
    made = to(HAIKU, max_tokens=8_000)
    assert made["thinking"] == {"type": "enabled", "budget_tokens": 6_000}
    made = to(HAIKU, max_tokens=1_000)
    assert made["thinking"] == {"type": "disabled"}
    assert "context_management" not in made
    assert to(HAIKU, tool_choice={"type": "auto"}, max_tokens=8_000)["thinking"]["type"] == "enabled"


def test_settings_of_other_edits_are_adapted_too() -> None:
    raw = json.dumps(BODY).encode()
    made = json.loads(edited(raw, [SetEffort("low", why=""), SetModel(HAIKU, why=""), SetMaxOutput(99_000, why="")]))
    assert made["max_tokens"] == 64_000
    assert made["thinking"]["budget_tokens"] == 4_096
    assert "effort" not in made["output_config"]
    made = json.loads(edited(raw, [SetModel("claude-opus-4-6", why=""), SetEffort("max", why="")]))
    assert made["output_config"]["effort"] == "max"
    plain = {key: value for key, value in BODY.items() if key != "output_config"}
    made = json.loads(edited(json.dumps(plain).encode(), [SetModel(SONNET, why=""), SetEffort("low", why="")]))
    assert made["output_config"] == {"effort": "low"}


@pytest.mark.parametrize(
    ("model", "more", "why"),
    [
        (SONNET, {"tool_choice": {"type": "any"}}, "demands a tool"),
        (HAIKU, {"inference_geo": "us"}, "asks for a place"),
        (SONNET, {"tools": [{"type": "computer_20251124", "name": "c"}]}, "computer_20251124"),
        (SONNET, {"messages": BODY["messages"][:3]}, "own words"),
        (
            HAIKU,
            {"messages": [BODY["messages"][0], {"role": "system", "content": [{"type": "tool_addition"}]}]},
            "tools",
        ),
        ("no-such-model", {}, "nothing is known"),
    ],
)
def test_what_cannot_be_said_otherwise_is_an_obstacle(model: str, more: dict[str, Any], why: str) -> None:
    raw = json.dumps({**BODY, **more}).encode()
    (problem,) = obstacles(raw, model)
    assert why in problem
    target = capabilities(model)
    if target is not None:
        with pytest.raises(ValueError, match="does not take it"):
            adapt(raw, target)
        with pytest.raises(ValueError, match="does not take it"):
            edited(raw, [SetModel(model, why="")])


def test_a_system_message_before_a_result_cannot_be_the_users() -> None:
    use = {"type": "tool_use", "id": "t", "name": "Read", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "x"}
    messages = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [use]},
        {"role": "system", "content": "mind"},
        {"role": "user", "content": [result]},
    ]
    assert obstacles(json.dumps(BODY | {"messages": messages}).encode(), HAIKU) == (
        "message 2 stands before a tool's result",
    )
    messages[2], messages[3] = messages[3], messages[2]
    assert obstacles(json.dumps(BODY | {"messages": messages}).encode(), HAIKU) == ()


def test_thinking_of_another_model_is_left_out_and_never_forged() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    said = {"type": "text", "text": "fine"}
    messages = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [thought, said, thought]},
        {"role": "user", "content": "and?"},
        {"role": "assistant", "content": [thought]},
        {"role": "user", "content": "well?"},
    ]
    raw = json.dumps(BODY | {"messages": messages, "system": []}).encode()
    drops = [ReplaceContent(at, "", 0, why="") for at in (1, 3)]
    made = json.loads(edited(raw, [SetModel(SONNET, why=""), *drops]))
    assert made["messages"][1]["content"] == [said]
    assert made["messages"][3]["content"] == [thought]
    with pytest.raises(ValueError, match="nothing but thinking"):
        edited(raw, [*drops, ReplaceContent(5, "", 0, why="")])
    with pytest.raises(ValueError, match="tool's result"):
        edited(raw, [ReplaceContent(1, "I thought otherwise", 0, why="")])


@pytest.mark.parametrize(
    ("body", "gone", "left"),
    [
        ('{"a":1, "b" : 2 ,"c":3}', {"a"}, '{ "b" : 2 ,"c":3}'),
        ('{"a":1, "b" : 2 ,"c":3}', {"b"}, '{"a":1 ,"c":3}'),
        ('{"a":1, "b" : 2 ,"c":3}', {"a", "b"}, '{ "c":3}'),
        ('{"a":1, "b" : 2 ,"c":3}', {"b", "c"}, '{"a":1}'),
        ('{"a":1, "b" : 2 ,"c":3}', {"a", "b", "c"}, "{}"),
    ],
)
def test_members_go_with_their_commas(body: str, gone: set[str], left: str) -> None:
    raw = body.encode()
    made = patched(raw, without(raw, trimmed(raw), gone)).decode()
    assert json.loads(made) == json.loads(left)


THINKING = [
    None,
    {"type": "adaptive"},
    {"type": "adaptive", "display": "omitted", "block_binding": {"prefix_mismatch_behavior": "drop_block"}},
    {"type": "disabled"},
    {"type": "between_tools"},
    {"type": "enabled", "budget_tokens": 2_000},
    {"type": "enabled", "budget_tokens": 100_000},
]
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "thinking": st.sampled_from([each for each in THINKING if each]),
        "output_config": st.sampled_from([{"effort": effort} for effort in EFFORTS] + [{}, {"format": {}}]),
        "temperature": st.sampled_from([0, 0.5, 1]),
        "top_p": st.sampled_from([0.9, 1]),
        "top_k": st.just(4),
        "tool_choice": st.sampled_from([{"type": "auto"}, {"type": "any"}]),
        "speed": st.sampled_from(["fast", "standard"]),
        "inference_geo": st.sampled_from(["us", "global"]),
        "context_management": st.sampled_from([{"edits": [CLEAR, COMPACT]}, {"edits": []}, {"edits": [COMPACT]}]),
    },
)


def accepted(body: bytes, model: str) -> bool:
    view = RequestView(method="POST", target="/v1/messages", raw_headers=[], body=body)
    try:
        check_message(view, PriceList().find(model))
    except ApiError:
        return False
    return True


@given(
    source=st.sampled_from(MODELS),
    target=st.sampled_from(MODELS),
    limit=st.sampled_from([500, 3_000, 64_000, 128_000]),
    more=OPTIONS,
    messages=st.integers(1, len(BODY["messages"])),
)
@settings(max_examples=400, deadline=None)
def test_what_one_model_takes_another_takes_adapted_or_it_is_no_candidate(
    source: str, target: str, limit: int, more: dict[str, Any], messages: int
) -> None:
    body = {"model": source, "messages": BODY["messages"][:messages], "max_tokens": limit, **more}
    raw = json.dumps(body).encode()
    if source == target or not accepted(raw, source):
        return
    problems = obstacles(raw, target)
    try:
        made = edited(raw, [SetModel(target, why="")])
    except ValueError:
        assert problems
        return
    assert not problems
    assert accepted(made, target), made
    known, after = capabilities(target), json.loads(made)
    assert known is not None
    assert (after.get("thinking") or {}).get("type") in {None, *known.thinking}
    assert (after.get("output_config") or {}).get("effort") in {None, *known.efforts}
    assert "system" not in {message["role"] for message in after["messages"]} or known.system_messages


def error(message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": message}}).encode()


@pytest.mark.parametrize(
    ("status", "said", "ours"),
    [
        (400, '"thinking.type.disabled" is not supported for this model.', True),
        (400, "max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens", True),
        (400, "messages: role 'system' is not supported on this model", True),
        (400, "output_config.effort: Extra inputs are not permitted", True),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", True),
        (400, "prompt is too long: 1200000 tokens > 1000000 maximum", False),
        (400, "messages.3: `tool_use` ids were found without `tool_result` blocks", False),
        (404, f"model: {HAIKU}", True),
        (429, "thinking of it, slow down", False),
        (400, "", False),
    ],
)
def test_a_refusal_is_ours_where_it_is_the_models(status: int, said: str, *, ours: bool) -> None:
    found = refused_for_us(status, error(said), asked=OPUS, sent=HAIKU)
    assert found == (said if ours else None)
    assert refused_for_us(status, error(said), asked=OPUS, sent=OPUS) is None


def test_a_refusal_that_cannot_be_read_is_the_clients_to_read() -> None:
    assert refused_for_us(400, b"<html>", asked=OPUS, sent=HAIKU) is None


def test_a_prompt_too_long_for_both_is_the_clients_to_shorten() -> None:
    said = error("prompt is too long: 210000 tokens > 200000 maximum")
    assert refused_for_us(400, said, asked="claude-opus-4-5", sent=HAIKU) is None
