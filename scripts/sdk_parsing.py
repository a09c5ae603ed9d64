"""What the official SDKs make of a reply, whole or streamed, without a network: text, tool calls, end, usage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx2
import openai
from openai.lib.streaming.chat import ChatCompletionStreamState

from underspend.core.usage import Usage


@dataclass(frozen=True, slots=True)
class Said:
    """What a reply says, in words that both dialects have."""

    text: str
    calls: tuple[tuple[str, Any], ...]
    end: str
    usage: Usage


class _Mock(httpx2.BaseTransport):
    """Answers every request with the bytes it was given last."""

    def __init__(self) -> None:
        self.status, self.body, self.stream = 200, b"", False

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:  # noqa: ARG002  # as httpx calls it
        kind = "text/event-stream" if self.stream else "application/json"
        return httpx2.Response(self.status, headers={"content-type": kind}, content=self.body)


class Sdks:
    """Both SDKs, reading from memory."""

    def __init__(self) -> None:
        self._mock = _Mock()
        http = httpx2.Client(transport=self._mock)
        self._anthropic = anthropic.Anthropic(
            api_key="none", base_url="http://sdk.test", http_client=http, max_retries=0
        )
        self._openai = openai.OpenAI(api_key="none", base_url="http://sdk.test/v1", http_client=http, max_retries=0)

    def close(self) -> None:
        """Give back what the SDKs hold."""
        self._anthropic.close()
        self._openai.close()

    def said(self, dialect: str, body: bytes, *, stream: bool = False, status: int = 200) -> Said:
        """What the SDK of a dialect hands its user; its own exception where it finds an error."""
        self._mock.status, self._mock.body, self._mock.stream = status, body, stream
        return getattr(self, f"_{dialect}_{'stream' if stream else 'whole'}")()  # type: ignore[no-any-return]

    def _openai_whole(self) -> Said:
        return _of_completion(self._openai.chat.completions.create(model="m", messages=_ASKED))

    def _openai_stream(self) -> Said:
        state = ChatCompletionStreamState()
        with self._openai.chat.completions.create(model="m", messages=_ASKED, stream=True) as stream:
            for chunk in stream:
                state.handle_chunk(chunk)
        # The final completion of the SDK is an exception where the reply was cut by its limit or a filter.
        reply = state.current_completion_snapshot
        if reply.choices[0].finish_reason is None:
            raise ValueError("the stream ended without a reason")
        return _of_completion(reply)

    def _responses_whole(self) -> Said:
        return _of_response(self._openai.responses.create(model="m", input="hello"))

    def _responses_stream(self) -> Said:
        # The SDK's own helper gives no final response where the reply was cut by its limit.
        with self._openai.responses.create(model="m", input="hello", stream=True) as stream:
            for event in stream:
                if event.type in {"response.completed", "response.incomplete", "response.failed"}:
                    return _of_response(event.response)
        raise ValueError("the stream ended without a response")

    def _anthropic_whole(self) -> Said:
        return _of_message(self._anthropic.messages.create(model="m", max_tokens=9, messages=_ASKED))

    def _anthropic_stream(self) -> Said:
        with self._anthropic.messages.stream(model="m", max_tokens=9, messages=_ASKED) as stream:
            return _of_message(stream.get_final_message())


_ASKED: Any = [{"role": "user", "content": "hello"}]
ENDS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


def arguments(given: str) -> Any:
    """A call's arguments, or their text where the reply's limit cut them short."""
    try:
        return json.loads(given)
    except ValueError:
        return given


def _of_completion(reply: Any) -> Said:
    openai.types.chat.ChatCompletion.model_validate(reply.model_dump(exclude_unset=True, warnings="none"))
    choice = reply.choices[0]
    calls = tuple((call.function.name, arguments(call.function.arguments)) for call in choice.message.tool_calls or ())
    used = reply.usage
    if used is None:
        lanes = Usage()
    else:
        details = used.prompt_tokens_details
        read, written = details.cached_tokens or 0, details.cache_write_tokens or 0
        hours = (details.model_extra or {}).get("cache_creation", {}).get("ephemeral_1h_input_tokens", 0)
        fresh = used.prompt_tokens - read - written
        lanes = Usage(fresh, written - hours, hours, read, used.completion_tokens)
    words = (choice.message.content or "") + (choice.message.refusal or "")
    return Said(words, calls, ENDS[choice.finish_reason], lanes)


def _of_response(reply: Any) -> Said:
    openai.types.responses.Response.model_validate(reply.model_dump(exclude_unset=True, warnings="none"))
    parts = [part for item in reply.output if item.type == "message" for part in item.content]
    words = "".join(part.refusal if part.type == "refusal" else part.text for part in parts)
    calls = tuple((item.name, arguments(item.arguments)) for item in reply.output if item.type == "function_call")
    used = reply.usage
    read, written = used.input_tokens_details.cached_tokens, used.input_tokens_details.cache_write_tokens or 0
    split = (used.input_tokens_details.model_extra or {}).get("cache_write_tokens_details") or {}
    hours = split.get("ttl_12h_tokens", 0)
    lanes = Usage(used.input_tokens - read - written, written - hours, hours, read, used.output_tokens)
    return Said(words, calls, _end_of(reply, refused=any(part.type == "refusal" for part in parts)), lanes)


_INCOMPLETE = {"max_output_tokens": "max_tokens", "content_filter": "refusal", None: "pause_turn"}


def _end_of(reply: Any, *, refused: bool) -> str:
    if reply.status == "failed":
        raise ValueError("the reply failed")
    if reply.status == "incomplete":
        return _INCOMPLETE[reply.incomplete_details.reason]
    if any(item.type == "function_call" for item in reply.output):
        return "tool_use"
    return "refusal" if refused else "end_turn"


def _of_message(reply: Any) -> Said:
    anthropic.types.Message.model_validate(reply.model_dump(exclude_unset=True, warnings="none"))
    words = "".join(block.text for block in reply.content if block.type == "text")
    calls = tuple((block.name, block.input) for block in reply.content if block.type == "tool_use")
    used = reply.usage
    split = used.cache_creation
    hours = split.ephemeral_1h_input_tokens if split is not None else 0
    written = (used.cache_creation_input_tokens or 0) - hours
    lanes = Usage(used.input_tokens, written, hours, used.cache_read_input_tokens or 0, used.output_tokens)
    return Said(words, calls, reply.stop_reason, lanes)
