from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.dialects.asks import UNTIMED, body
from formats.dialects.replies import answers, events
from formats.recorded import script
from formats.streams import CUTS, pieces
from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.anthropic import ANTHROPIC
from underspend.formats.dialects.neutral import Answer, Ask, Refusal, Stop, Text, Thinking, ToolUse
from underspend.formats.dialects.openai import OPENAI, OpenAiDialect
from underspend.formats.translation import Exchange, Target, Translator
from underspend.formats.translators import TRANSLATORS, target_of, translator

recordings = script("recordings")
sdk_parsing = script("sdk_parsing")
check = script("check_translation")

FIXTURES = Path(__file__).parents[1] / "fixtures"
NOW = OpenAiDialect(lambda: 7)
PAIRS = {"openai_anthropic": Translator(NOW, ANTHROPIC), "anthropic_openai": Translator(ANTHROPIC, NOW)}
EACH = pytest.mark.parametrize("name", sorted(PAIRS))


@pytest.fixture(scope="module")
def sdks() -> Iterator[Any]:
    made = sdk_parsing.Sdks()
    yield made
    made.close()


def exchange(name: str, *, stream: bool = False) -> Exchange:
    return PAIRS[name].translate(check.asked(name.partition("_")[0], stream=stream), Target(model="m"))


def recorded(name: str, answer: Answer) -> bytes:
    """A reply as its provider streams it."""
    writer = (NOW if name.endswith("openai") else ANTHROPIC).event_writer(Ask(model="m", messages=()))
    return b"".join(map(writer.write, events(answer)))


def test_every_client_is_understood_by_every_provider() -> None:
    clients, providers = ("anthropic", "openai", "responses"), ("anthropic", "openai", "responses", "gemini")
    pairs = {f"{client}_{provider}" for client in clients for provider in providers if client != provider}
    assert pairs == TRANSLATORS.keys()
    assert all(name == each.name for name, each in TRANSLATORS.items())


def test_the_same_dialect_on_both_sides_needs_no_translator() -> None:
    assert translator("anthropic", "anthropic") is None
    assert translator("anthropic", "openai") is TRANSLATORS["anthropic_openai"]
    with pytest.raises(KeyError):
        translator("gemini", "anthropic")


def test_a_target_has_what_the_catalogue_knows() -> None:
    small, best = target_of("claude-haiku-4-5", "anthropic"), target_of("claude-opus-5-5", "anthropic", sent_as="x")
    assert (small.efforts, small.adaptive, small.mid_system, small.sampling, small.quiet) == (
        (),
        False,
        False,
        True,
        True,
    )
    assert (best.model, best.sampling, best.quiet, best.forced_tools) == ("x", False, False, False)
    assert best.efforts is not None
    assert small.max_output is not None
    older = target_of("gpt-5.1", "openai")
    assert (older.efforts, older.sampling) == (("none", "low", "medium", "high"), False)
    plain = target_of("gpt-4.1", "openai")
    assert (plain.efforts, plain.sampling, plain.thinking) == ((), True, False)
    assert target_of("nobody-knows", "openai") == Target(model="nobody-knows", provider="openai")


def test_the_bundled_recordings_reach_every_bar() -> None:
    rows = list(check.replies(FIXTURES))
    assert [(name, figure) for name, held, figure in rows if not (held or figure.startswith("0 whole, 0"))] == []
    assert len(rows) == 4 * len(TRANSLATORS)


@EACH
@UNTIMED
@given(answer=answers(), cuts=CUTS)
def test_a_stream_cut_anywhere_gives_the_same_bytes(name: str, answer: Answer, cuts: list[int]) -> None:
    stream, whole = exchange(name, stream=True).streaming(), exchange(name, stream=True).streaming()
    source = recorded(name, answer)
    made = b"".join(stream.feed(piece) for piece in pieces(source, cuts)) + stream.finish()
    assert made == whole.feed(source) + whole.finish()


@EACH
@UNTIMED
@given(answer=answers())
def test_the_sdk_reads_streamed_what_it_reads_whole(name: str, answer: Answer, sdks: Any) -> None:
    client, _, provider = name.partition("_")
    spoken = NOW if provider == "openai" else ANTHROPIC
    whole = exchange(name).reply(spoken.write_answer(answer, Ask(model="m", messages=())))
    stream = exchange(name, stream=True).streaming()
    streamed = stream.feed(recorded(name, answer)) + stream.finish()
    assert sdks.said(client, streamed, stream=True) == sdks.said(client, whole)
    assert sdks.said(client, whole).usage == answer.usage


@EACH
def test_a_stream_broken_off_at_any_byte_is_never_a_whole_reply(name: str, sdks: Any) -> None:
    client = name.partition("_")[0]
    answer = Answer(id="a", model="m", parts=(Text("hi"), ToolUse("t", "n", "{}")), stop=Stop.TOOLS)
    source = recorded(name, answer)
    end = source.index(b'tool_calls"}' if client == "anthropic" else b'"stop_reason":"tool_use"')
    for at in range(0, end, 7):
        stream = exchange(name, stream=True).streaming()
        made = stream.feed(source[:at]) + stream.finish()
        with pytest.raises((anthropic.APIStatusError, openai.APIError)) as caught:
            sdks.said(client, made, stream=True)
        assert "broke off" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind", "of_anthropic", "of_openai"),
    [
        (400, "invalid_request_error", anthropic.BadRequestError, openai.BadRequestError),
        (401, "authentication_error", anthropic.AuthenticationError, openai.AuthenticationError),
        (404, "not_found_error", anthropic.NotFoundError, openai.NotFoundError),
        (429, "rate_limit_error", anthropic.RateLimitError, openai.RateLimitError),
        (529, "overloaded_error", anthropic.APIStatusError, openai.InternalServerError),
    ],
)
def test_errors_keep_the_providers_words_in_both_directions(
    status: int, kind: str, of_anthropic: Any, of_openai: Any, sdks: Any
) -> None:
    words = "This model's maximum context length is 8192 tokens: “shorten”."
    said = json.dumps({"error": {"message": words, "type": "x", "code": "context_length_exceeded"}}).encode()
    with pytest.raises(of_anthropic, match=r"maximum context length is 8192 tokens: “shorten”\.") as caught:
        sdks.said("anthropic", exchange("anthropic_openai").problem(status, said), status=status)
    assert caught.value.body["error"]["type"] == kind  # type: ignore[attr-defined]
    words = "prompt is too long: 250000 tokens > 200000 maximum"
    said = json.dumps({"type": "error", "error": {"type": kind, "message": words}}).encode()
    with pytest.raises(of_openai, match="prompt is too long: 250000 tokens > 200000 maximum"):
        sdks.said("openai", exchange("openai_anthropic").problem(status, said), status=status)


def claude_code() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FIXTURES / "translation" / "claude_code.json").read_text("utf-8"))
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    read["messages"][2]["content"].insert(0, thought)
    return read


def test_a_request_of_claude_codes_goes_to_openai_with_all_it_means() -> None:
    made = TRANSLATORS["anthropic_openai"].translate(
        json.dumps(claude_code()).encode(), target_of("gpt-6-sol", "openai")
    )
    sent = json.loads(made.body)
    roles = [message["role"] for message in sent["messages"]]
    assert roles[:5] == ["system", "user", "system", "assistant", "tool"]
    assert check._fault("openai", sent) is None
    assert "x-anthropic-billing-header" not in sent["messages"][0]["content"]
    assert sent["stream_options"] == {"include_usage": True}
    assert sent["reasoning_effort"] == "medium"
    assert "DeferredToolPlaceholder" not in [tool["function"]["name"] for tool in sent["tools"]]
    assert {note.partition(":")[0] for note in made.dropped} >= {
        "thinking",
        "safeguards",
        "context_management",
        "metadata",
        "Claude Code's billing header",
        "output_config of a message",
    }


def test_a_longer_conversation_of_claude_codes_begins_like_the_shorter_one() -> None:
    """The provider's own cache goes by the prefix, so what was sent once is sent the same again."""
    whole = claude_code()
    sent = []
    for length in (8, 12, len(whole["messages"])):
        part = json.dumps({**whole, "messages": whole["messages"][:length]}).encode()
        sent.append(json.loads(TRANSLATORS["anthropic_openai"].translate(part, Target(model="m")).body)["messages"])
    assert sent[1][: len(sent[0])] == sent[0]
    assert sent[2][: len(sent[1])] == sent[1]


def test_a_safety_check_of_claude_codes_is_carried_whole() -> None:
    asked = body(
        system=[{"type": "text", "text": "judge"}],
        max_tokens=64,
        thinking={"type": "disabled"},
        stop_sequences=["</severity>"],
        temperature=0,
    )
    made = TRANSLATORS["anthropic_openai"].translate(asked, Target(model="m", provider="openai"))
    sent = json.loads(made.body)
    assert made.dropped == ()
    assert not made.stream
    assert (sent["stop"], sent["max_completion_tokens"], sent["reasoning_effort"]) == (["</severity>"], 64, "none")


def test_breakpoints_in_extra_body_reach_anthropic() -> None:
    part = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    asked = body(messages=[{"role": "user", "content": [part]}], cache_control={"type": "ephemeral"})
    sent = json.loads(TRANSLATORS["openai_anthropic"].translate(asked, target_of("claude-sonnet-5", "anthropic")).body)
    assert sent["messages"][0]["content"] == [part]
    assert sent["cache_control"] == {"type": "ephemeral"}


def test_a_foreign_id_goes_through_claude_code_and_back_as_it_was() -> None:
    answer = Answer(id="a", model="kimi", parts=(ToolUse("functions.Read:0", "Read", "{}"),), stop=Stop.TOOLS)
    reply = json.loads(exchange("anthropic_openai").reply(OPENAI.write_answer(answer, Ask(model="m", messages=()))))
    use = reply["content"][0]
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": "text"}
    messages = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    made = TRANSLATORS["anthropic_openai"].translate(body(messages=messages), Target(model="m", provider="moonshotai"))
    call, tool = json.loads(made.body)["messages"]
    assert call["tool_calls"][0]["id"] == tool["tool_call_id"] == "functions.Read:0"


def test_what_cannot_be_carried_is_said_in_plain_words() -> None:
    with pytest.raises(CannotCarryError) as caught:
        TRANSLATORS["openai_anthropic"].translate(body(n=3), Target(model="m"))
    assert str(caught.value) == (
        "A request for 3 replies (n=3) cannot be sent to another provider: others give one reply to a request. "
        "Ask that many times, or leave the call on the model it asks for."
    )


@EACH
@UNTIMED
@given(st.binary(max_size=200), CUTS)
def test_whatever_comes_from_upstream_the_client_gets_an_end(name: str, noise: bytes, cuts: list[int]) -> None:
    stream = exchange(name, stream=True).streaming()
    made = b"".join(stream.feed(piece) for piece in pieces(noise, cuts)) + stream.finish()
    assert b'"error"' in made


NAMES = st.sampled_from(
    [
        "id", "type", "message", "content", "content_block", "delta", "index", "usage", "choices", "tool_calls",
        "error", "function", "arguments", "finish_reason", "stop_reason", "text", "input", "refusal", "name", "code",
    ]
)  # fmt: skip
KINDS = st.sampled_from(
    [
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
        "message_stop", "text", "tool_use", "text_delta", "input_json_delta", "thinking", "error", "stop",
    ]
)  # fmt: skip
STRANGE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), KINDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=5)),
    max_leaves=20,
)


@EACH
@UNTIMED
@given(st.lists(st.dictionaries(NAMES, STRANGE, max_size=6), max_size=5))
def test_whatever_form_a_reply_has_it_is_read_or_said_to_be_none(name: str, strange: list[Any]) -> None:
    stream = exchange(name, stream=True).streaming()
    assert isinstance(stream.feed(b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in strange)), bytes)
    stream.finish()
    for each in strange:
        exchange(name).problem(400, json.dumps(each).encode())
        with contextlib.suppress(ValueError):
            exchange(name).reply(json.dumps(each).encode())


def test_a_refusal_is_a_refusal_in_both_directions(sdks: Any) -> None:
    refused = Answer(id="a", model="m", parts=(Refusal("I cannot."),), stop=Stop.REFUSAL)
    claude = exchange("anthropic_openai").reply(NOW.write_answer(refused, Ask(model="m", messages=())))
    assert (sdks.said("anthropic", claude).end, sdks.said("anthropic", claude).text) == ("refusal", "I cannot.")
    words = replace(refused, parts=(Text("I cannot."), Thinking("hm", "s", dialect="anthropic")))
    chat = exchange("openai_anthropic").reply(ANTHROPIC.write_answer(words, Ask(model="m", messages=())))
    assert (sdks.said("openai", chat).end, sdks.said("openai", chat).text) == ("refusal", "I cannot.")
