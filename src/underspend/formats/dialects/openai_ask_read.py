"""A request of Chat Completions, read: the `openai` SDK's, and those of the many programs that speak like it.

The SDK merges `extra_body` into the body, so members that Anthropic knows (`cache_control`, `thinking`, `top_k`) may
stand at the top, and `cache_control` in the parts of messages and in tools.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.anthropic_parts import read_cache
from underspend.formats.dialects.left_out import LeftOut
from underspend.formats.dialects.neutral import (
    Ask,
    Document,
    Image,
    Message,
    Part,
    Structured,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
)
from underspend.formats.dialects.openai_parts import NAME, no_custom_tools, read_call, read_content
from underspend.formats.dialects.requests import decoded, number, whole
from underspend.formats.lenient import Json, items, obj, text

_READ = frozenset(
    {
        "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "max_tokens", "max_completion_tokens",
        "stream", "stream_options", "temperature", "top_p", "top_k", "stop", "seed", "response_format",
        "reasoning_effort", "reasoning", "thinking", "user", "safety_identifier", "cache_control", "n", "modalities",
        "functions", "function_call", "audio",
    }
)  # fmt: skip
_NOTHING: tuple[object, ...] = (None, False, 0, [], {}, "")
_NO_NAME = "a participant's name"


def read_ask(body: bytes) -> Ask:
    """A request's body in the neutral form.

    Raises ValueError for what is no request, CannotCarryError for what the reply would not be right without.
    """
    given, left_out = decoded(body), LeftOut()
    _refuse(given)
    left_out.unknown(name for name, value in given.items() if name not in _READ and value not in _NOTHING)
    system, messages = _read_messages(given["messages"], left_out)
    tools, choice = _read_tools(given)
    effort, thinking = _read_reasoning(given)
    stop = given.get("stop")
    parallel = given.get("parallel_tool_calls")
    return Ask(
        model=text(given.get("model")) or "",
        messages=messages,
        system=system,
        tools=tools,
        choice=choice,
        parallel=parallel if isinstance(parallel, bool) and tools else None,
        stream=given.get("stream") is True,
        include_usage=obj(given.get("stream_options")).get("include_usage") is True,
        max_output=whole(given.get("max_completion_tokens")) or whole(given.get("max_tokens")),
        temperature=number(given.get("temperature")),
        top_p=number(given.get("top_p")),
        top_k=whole(given.get("top_k")),
        stop=(stop,) if isinstance(stop, str) else _words(stop),
        seed=given["seed"] if isinstance(given.get("seed"), int) else None,
        structured=_read_format(obj(given.get("response_format"))),
        thinking=thinking,
        effort=effort,
        user=text(given.get("safety_identifier")) or text(given.get("user")),
        cache=read_cache(given),
        dropped=left_out.notes,
    )


def _refuse(given: Json) -> None:
    replies = given.get("n")
    if isinstance(replies, int) and replies > 1:
        raise CannotCarryError(
            what=f"A request for {replies} replies (n={replies})",
            provider="another provider",
            problem="others give one reply to a request",
            mend="Ask that many times, or leave the call on the model it asks for.",
        )
    if given.get("functions") or given.get("function_call"):
        raise CannotCarryError(
            what="`functions`",
            provider="another provider",
            problem="it is OpenAI's older form of tools, which its SDK no longer writes",
            mend="Use `tools` and `tool_choice` instead.",
        )
    modalities = given.get("modalities")
    if given.get("audio") or (isinstance(modalities, list) and "audio" in modalities):
        raise CannotCarryError(
            what="A spoken reply",
            provider="another provider",
            problem="only OpenAI's own models speak in this form",
            mend="Ask for text, or leave the call on the model it asks for.",
        )


def _read_messages(given: object, left_out: LeftOut) -> tuple[tuple[Text, ...], tuple[Message, ...]]:
    system, messages, names = list[Text](), list[Message](), dict[str, str]()
    results = list[Part]()
    for message in items(given):
        role = message.get("role")
        if message.get("name") and role != "tool":
            left_out.note(_NO_NAME, "the provider has nothing like it")
        if role == "tool":
            results.append(_read_result(message, names))
            continue
        parts = _marked(read_content(message.get("content")), message)
        match role:
            case "user":
                messages += _message("user", (*results, *parts))
                results = []
                continue
            case "assistant":
                after = _message("assistant", _read_assistant(message, parts, names))
            case "system" | "developer" if not messages and not results:
                system += [part for part in parts if isinstance(part, Text)]
                after = []
            case "system" | "developer":
                after = _message("system", parts)
            case _:
                raise ValueError(f"a message has the role {role!r}")
        messages += [*_message("user", results), *after]
        results = []
    return tuple(system), (*messages, *_message("user", results))


def _message(role: Literal["user", "assistant", "system"], parts: Iterable[Part]) -> list[Message]:
    kept = tuple(parts)
    return [Message(role, kept)] if kept else []


def _marked(parts: list[Part], message: Json) -> list[Part]:
    """The parts with the breakpoint that stands on the message itself, as some clients put it."""
    cache = read_cache(message)
    if cache is not None and parts and isinstance(parts[-1], Text):
        return [*parts[:-1], Text(parts[-1].text, cache)]
    return parts


def _read_assistant(message: Json, parts: list[Part], names: dict[str, str]) -> list[Part]:
    reasoning = text(message.get("reasoning_content")) or text(message.get("reasoning"))
    thought: list[Part] = [Thinking(reasoning, dialect=NAME)] if reasoning else []
    refused: list[Part] = [Text(words)] if (words := text(message.get("refusal"))) else []
    calls = [read_call(call) for call in items(message.get("tool_calls"))]
    names.update((call.id, call.name) for call in calls)
    return [*thought, *parts, *refused, *calls]


def _read_result(message: Json, names: dict[str, str]) -> ToolResult:
    use = text(message.get("tool_call_id")) or ""
    parts = read_content(message.get("content"))
    kept = tuple(part for part in parts if isinstance(part, (Text, Image, Document)))
    return ToolResult(use, kept, name=names.get(use, ""), cache=read_cache(message))


def _read_tools(given: Json) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    if any(tool.get("type") == "custom" for tool in items(given.get("tools"))):
        raise no_custom_tools()
    tools = tuple(_read_tool(tool) for tool in items(given.get("tools")))
    choice = given.get("tool_choice")
    if not tools:
        return (), None
    if isinstance(choice, str):
        return tools, _choice(choice)
    function, allowed = obj(obj(choice).get("function")), obj(obj(choice).get("allowed_tools"))
    if allowed:
        named = {text(obj(tool.get("function")).get("name")) for tool in items(allowed.get("tools"))}
        return tuple(tool for tool in tools if tool.name in named), _choice(text(allowed.get("mode")) or "auto")
    return tools, ToolChoice("tool", text(function.get("name")) or "") if function else None


def _choice(word: str) -> ToolChoice | None:
    kinds: dict[str, Literal["auto", "any", "none"]] = {"auto": "auto", "required": "any", "none": "none"}
    return ToolChoice(kinds[word]) if word in kinds else None


def _read_tool(tool: Json) -> Tool:
    function = obj(tool.get("function"))
    strict = function.get("strict")
    return Tool(
        text(function.get("name")) or "",
        obj(function.get("parameters")),
        text(function.get("description")) or "",
        strict if isinstance(strict, bool) else None,
        read_cache(tool) or read_cache(function),
    )


def _read_reasoning(given: Json) -> tuple[str | None, Literal["off", "adaptive"] | int | None]:
    """Effort and thinking: OpenAI's `reasoning_effort`, OpenRouter's `reasoning`, or Anthropic's own `thinking`."""
    effort = text(given.get("reasoning_effort")) or text(obj(given.get("reasoning")).get("effort"))
    thinking = obj(given.get("thinking"))
    budget = whole(thinking.get("budget_tokens")) or whole(obj(given.get("reasoning")).get("max_tokens"))
    if effort == "none" or thinking.get("type") == "disabled":
        return None, "off"
    if budget is not None:
        return effort, budget
    return effort, "adaptive" if effort or thinking.get("type") in {"enabled", "adaptive"} else None


def _read_format(given: Json) -> Structured | None:
    match given.get("type"):
        case "json_object":
            return Structured()
        case "json_schema":
            inner = obj(given.get("json_schema"))
            strict = inner.get("strict")
            return Structured(
                obj(inner.get("schema")),
                text(inner.get("name")) or "reply",
                strict if isinstance(strict, bool) else None,
            )
    return None


def _words(given: object) -> tuple[str, ...]:
    return tuple(word for word in given if isinstance(word, str)) if isinstance(given, list) else ()
