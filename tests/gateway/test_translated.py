"""Real SDKs through the gateway to providers that speak another dialect: tools, streams, errors, and the bill."""

import json

import anthropic
import openai
import pytest
import running

from underspend.testing.fake_upstream import Call as Use
from underspend.testing.fake_upstream import Fault, ToolLoop, run_in_thread
from underspend.testing.fake_upstream.chat_format import CHAT
from underspend.testing.fake_upstream.foreign import ToolCall, Turn, foreign_in_thread, rounds_of
from underspend.testing.fake_upstream.gemini_format import GEMINI
from underspend.testing.fake_upstream.responses_format import RESPONSES

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CITIES = [ToolCall("weather", {"city": "Oslo"}), ToolCall("weather", {"city": "Rome"})]
MODELS = {"chat": "gpt-5.5", "responses": "gpt-5.5", "gemini": "gemini-3.5-flash", "anthropic": "claude-opus-5-5"}
FORMS = {"chat": CHAT, "responses": RESPONSES, "gemini": GEMINI}
DIALECTS = {"chat": "openai", "responses": "responses", "gemini": "gemini"}
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")


@pytest.fixture(scope="module")
def foreign():
    with (
        foreign_in_thread(CHAT) as chat,
        foreign_in_thread(RESPONSES) as responses,
        foreign_in_thread(GEMINI) as gemini,
    ):
        yield {"chat": chat, "responses": responses, "gemini": gemini}


@pytest.fixture(scope="module")
def claude():
    with run_in_thread() as up:
        yield up


@pytest.fixture(scope="module")
def gateway(foreign, claude, tmp_path_factory):
    tables = [
        f'[providers.{name}]\nkind = "fake"\ndialect = "{DIALECTS[name]}"\nbase_url = "{up.url}"\nkey = "env:OUR_KEY"\n'
        for name, up in foreign.items()
    ]
    config = "\n".join([*tables, '[fallbacks]\n"claude-haiku-5-5" = ["chat/gpt-5.5"]\n'])
    made = running.start(tmp_path_factory.mktemp("home"), claude.url, config=config, env={"OUR_KEY": "sk-ours-1"})
    yield made
    made.stop()
    made.process.stdout.close()


def script(provider, foreign, claude):
    if provider == "anthropic":
        claude.script = ToolLoop([Use("weather", {"city": "Oslo"}), Use("weather", {"city": "Rome"})], final="Sunny.")
    else:
        foreign[provider].script = rounds_of(CITIES, final="Sunny.")


def named(provider):
    return MODELS[provider] if provider == "anthropic" else f"{provider}/{MODELS[provider]}"


def with_anthropic(url, model, *, stream):
    client = anthropic.Anthropic(base_url=url, api_key="sk-ant-api03-client", max_retries=0)
    messages = [{"role": "user", "content": "Where is the sun?"}]
    tools = [{"name": "weather", "description": "of a city", "input_schema": SCHEMA}]
    for _ in range(4):
        ask = {"model": model, "max_tokens": 1_000, "messages": messages, "tools": tools, "system": "Be brief."}
        if stream:
            with client.messages.stream(**ask) as events:
                reply = events.get_final_message()
        else:
            reply = client.messages.create(**ask)
        uses = [block for block in reply.content if block.type == "tool_use"]
        if not uses:
            assert reply.stop_reason == "end_turn"
            return "".join(block.text for block in reply.content if block.type == "text"), reply.usage
        assert reply.stop_reason == "tool_use"
        assert [use.input["city"] for use in uses] == ["Oslo", "Rome"]
        results = [{"type": "tool_result", "tool_use_id": use.id, "content": "fine"} for use in uses]
        messages += [
            {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in reply.content]},
            {"role": "user", "content": results},
        ]
    raise AssertionError("no end")


def with_chat(url, model, *, stream):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="sk-ant-api03-client", max_retries=0)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is the sun?"}]
    function = {"name": "weather", "description": "of a city", "parameters": SCHEMA}
    for _ in range(4):
        ask = {"model": model, "messages": messages, "tools": [{"type": "function", "function": function}]}
        if stream:
            with client.chat.completions.stream(**ask, stream_options={"include_usage": True}) as events:
                reply = events.get_final_completion()
        else:
            reply = client.chat.completions.create(**ask)
        message = reply.choices[0].message
        if not message.tool_calls:
            assert reply.choices[0].finish_reason == "stop"
            return message.content, reply.usage
        assert reply.choices[0].finish_reason == "tool_calls"
        calls = message.tool_calls
        assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Oslo", "Rome"]
        said = [
            {"id": c.id, "type": "function", "function": {"name": c.function.name, "arguments": c.function.arguments}}
            for c in calls
        ]
        messages.append({"role": "assistant", "content": message.content, "tool_calls": said})
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "fine"} for call in calls]
    raise AssertionError("no end")


def with_responses(url, model, *, stream):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="sk-ant-api03-client", max_retries=0)
    items = [{"role": "user", "content": "Where is the sun?"}]
    tools = [{"type": "function", "name": "weather", "description": "of a city", "parameters": SCHEMA, "strict": False}]
    for _ in range(4):
        ask = {"model": model, "input": items, "tools": tools, "instructions": "Be brief.", "store": False}
        if stream:
            with client.responses.stream(**ask) as events:
                reply = events.get_final_response()
        else:
            reply = client.responses.create(**ask)
        calls = [item for item in reply.output if item.type == "function_call"]
        if not calls:
            return reply.output_text, reply.usage
        assert [json.loads(call.arguments)["city"] for call in calls] == ["Oslo", "Rome"]
        items += [
            {"type": "function_call", "call_id": c.call_id, "name": c.name, "arguments": c.arguments} for c in calls
        ]
        items += [{"type": "function_call_output", "call_id": call.call_id, "output": "fine"} for call in calls]
    raise AssertionError("no end")


CLIENTS = {"anthropic": with_anthropic, "chat": with_chat, "responses": with_responses}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("provider", ["anthropic", "chat", "responses", "gemini"])
@pytest.mark.parametrize("client", CLIENTS)
def test_every_sdk_completes_a_tool_session_with_every_provider(gateway, foreign, claude, client, provider, stream):
    script(provider, foreign, claude)
    before = len(gateway.rows())
    said, usage = CLIENTS[client](gateway.url, named(provider), stream=stream)
    assert said == "Sunny."
    rows = gateway.rows(wait_for=before + 2)[before:]
    assert len(rows) == 2
    assert [row["outcome"] for row in rows] == ["ok", "ok"]
    assert [(row["unpriced"], row["evidence"]) for row in rows] == [(None, "billed")] * 2
    if provider != "anthropic":
        assert {row["model_served"] for row in rows} == {MODELS[provider]}
        assert rows[-1]["input_tokens"] == 100
        assert rows[-1]["output_tokens"] == 20
        assert foreign[provider].refused == []
        heard = foreign[provider].requests[-1]
        shown = {value for name, value in heard.headers.items() if "key" in name or name == "authorization"}
        assert shown == {"Bearer sk-ours-1"}
    asked = getattr(usage, "input_tokens", None) or getattr(usage, "prompt_tokens", None)
    assert asked >= rows[-1]["input_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_another_provider_answers_in_place_of_an_overloaded_one(gateway, foreign, claude, stream):
    claude.script = lambda view: Fault(status=529)
    foreign["chat"].script = lambda heard: Turn(text="Here I am.")
    client = anthropic.Anthropic(base_url=gateway.url, api_key="sk-ant-api03-client", max_retries=0)
    before = len(gateway.rows())
    ask = {"model": "claude-haiku-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]}
    if stream:
        with client.messages.stream(**ask) as events:
            said = events.get_final_message()
            told = events.response.headers
    else:
        reply = client.messages.with_raw_response.create(**ask)
        said, told = reply.parse(), reply.headers
    assert said.content[0].text == "Here I am."
    assert (told["x-underspend-provider"], told["x-underspend-model"]) == ("chat", "gpt-5.5")
    first, second = gateway.rows(wait_for=before + 2)[before:]
    assert (first["status"], first["attempt_of"], second["attempt_of"]) == (529, None, first["id"])
    assert (first["cost_pico"], second["model_asked"]) == (0, "claude-haiku-5-5")
    assert second["cost_pico"] > 0
