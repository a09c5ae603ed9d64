"""An answer in the neutral form → a whole reply of the Responses API, as OpenAI's SDK reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import xxhash

from underspend.core.usage import Usage
from underspend.formats.dialects import responses_usage
from underspend.formats.dialects.limits import limits
from underspend.formats.dialects.neutral import Answer, Ask, Part, Refusal, Stop, Text, Thinking, ToolUse
from underspend.formats.dialects.responses_ask_writer import write_choice, write_format, write_tool
from underspend.formats.dialects.responses_reasoning import reasoning_item, signature_item
from underspend.formats.dialects.tool_labels import asked_names
from underspend.formats.lenient import Json

_INCOMPLETE = {Stop.LENGTH: "max_output_tokens", Stop.REFUSAL: "content_filter", Stop.PAUSE: None}


def write_answer(answer: Answer, ask: Ask) -> bytes:
    """A whole reply. The time of its making is not known here and stands as 0."""
    identity, names = response_id(answer.id, repr(answer)), client_names(ask)
    output: list[Json] = []
    for part in answer.parts:
        output += list(items_of(part, identity, len(output), names))
    whole = Frame(ask, identity, answer.model).response(
        output, stop=answer.stop, usage=answer.usage, thinking_tokens=answer.thinking_tokens
    )
    return msgspec.json.encode(whole)


def response_id(given: str, seed: str = "") -> str:
    """The reply's id as a client of this API knows it; the provider's own stands in it, or what the seed makes."""
    given = given or xxhash.xxh3_128_hexdigest(seed.encode("utf-8", "surrogatepass"))
    return given if given.startswith("resp_") else f"resp_{given}"


def item_id(kind: str, response: str, index: int) -> str:
    """The id of an item, made of the reply's and its place."""
    return f"{kind}_{response.removeprefix('resp_')}_{index}"


def client_names(ask: Ask) -> Mapping[str, str]:
    """The tools' names as the client knows them, by those that were sent."""
    return asked_names(ask.tools, limits("openai")["tool_name"])


def items_of(part: Part, response: str, index: int, names: Mapping[str, str]) -> Iterator[Json]:
    """A part's items of the output, the first at this place: a tool call's signature is an item before it."""
    match part:
        case Text():
            piece: Json = {"type": "output_text", "text": part.text, "annotations": [], "logprobs": []}
            yield message_item(item_id("msg", response, index), [piece])
        case Refusal():
            yield message_item(item_id("msg", response, index), [{"type": "refusal", "refusal": part.text}])
        case Thinking():
            yield reasoning_item(part, id=item_id("rs", response, index), status="completed")
        case ToolUse():
            if part.signature:
                yield signature_item(part.signature, id=item_id("rs", response, index), status="completed")
                index += 1
            yield call_item(part, item_id("fc", response, index), names, part.arguments or "{}")


def message_item(identity: str, content: list[Json], status: str = "completed") -> Json:
    """A message of the model."""
    return {"id": identity, "type": "message", "role": "assistant", "status": status, "content": content}


def call_item(use: ToolUse, identity: str, names: Mapping[str, str], said: str, status: str = "completed") -> Json:
    """A function call with the arguments said so far."""
    name = names.get(use.name, use.name)
    item = {"id": identity, "type": "function_call", "call_id": use.id, "name": name, "arguments": said}
    return {**item, "status": status}


class Frame:
    """What every state of one response says alike: who answers, and what was asked."""

    def __init__(self, ask: Ask, identity: str, model: str) -> None:
        self._asked: Json = {
            "id": identity,
            "object": "response",
            "created_at": 0,
            "model": model,
            "background": False,
            "instructions": "\n\n".join(part.text for part in ask.system) or None,
            "max_output_tokens": ask.max_output,
            "metadata": {},
            "parallel_tool_calls": ask.parallel is not False,
            "previous_response_id": None,
            "reasoning": {"effort": "none" if ask.thinking == "off" else ask.effort, "summary": None},
            "service_tier": "default",
            "store": False,
            "temperature": ask.temperature,
            "text": {"format": write_format(ask.structured) if ask.structured else {"type": "text"}},
            "tool_choice": write_choice(ask.choice),
            "tools": [write_tool(tool) for tool in ask.tools],
            "top_p": ask.top_p,
            "truncation": "disabled",
            "user": ask.user,
        }

    def under_way(self) -> Json:
        """The response as it begins."""
        return self._state("in_progress", [])

    def failed(self, output: list[Json], error: Json) -> Json:
        """The response that came to nothing."""
        return {**self._state("failed", output), "error": error}

    def response(self, output: list[Json], *, stop: Stop, usage: Usage, thinking_tokens: int) -> Json:
        """The response at its end: "incomplete" where it was cut short, or stopped by a filter without a word."""
        refused = any(piece.get("type") == "refusal" for item in output for piece in item.get("content", ()))
        incomplete = stop in _INCOMPLETE and not (stop is Stop.REFUSAL and refused)
        return {
            **self._state("incomplete" if incomplete else "completed", output),
            "incomplete_details": {"reason": _INCOMPLETE[stop]} if incomplete else None,
            "usage": responses_usage.write(usage, thinking_tokens),
        }

    def _state(self, status: str, output: list[Json]) -> Json:
        return {
            **self._asked,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "output": output,
            "usage": None,
        }
