"""The body of `POST /v1/responses` → a request in the neutral form.

What needs a state at OpenAI is refused, for no other provider has it. What changes no word of the reply, or is a tool
that only OpenAI has, is left out and said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from underspend.formats.dialects.neutral import Ask, Structured, Text, Tool, ToolChoice
from underspend.formats.dialects.responses_content import cannot
from underspend.formats.dialects.responses_input_reader import read_input
from underspend.formats.lenient import Json, decode, items, obj, text

_STATEFUL = {
    "previous_response_id": "the earlier reply is kept at OpenAI",
    "conversation": "the conversation is kept at OpenAI",
    "prompt": "the template is kept at OpenAI",
    "background": "there is no place to fetch the reply from later",
}
_READ = {
    *("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "stream", "text", "reasoning"),
    *("max_output_tokens", "temperature", "top_p", "user", "safety_identifier", "include", "truncation"),
    "prompt_cache_options",
    *("service_tier", "store", *_STATEFUL),
}
_USUAL = {"truncation": "disabled", "service_tier": "auto", "store": False}
"""Members that ask for nothing with this value."""
_TOOL = {"type", "name", "parameters", "description", "strict"}
_CARRIED = "reasoning.encrypted_content"
_CHOICES = {"auto": ToolChoice("auto"), "required": ToolChoice("any"), "none": ToolChoice("none")}


def read_ask(body: bytes) -> Ask:
    """A request. Raises CannotCarryError for what cannot be left out, ValueError for what is no request."""
    try:
        whole = decode(body)
    except msgspec.DecodeError as error:
        raise ValueError(f"the body is no JSON: {error}") from error
    model = text(obj(whole).get("model"))
    if not isinstance(whole, dict) or model is None:
        raise ValueError("the body names no model")
    for name, why in _STATEFUL.items():
        if whole.get(name):
            raise cannot(name, why, "Send the whole conversation as input instead.")
    said = read_input(whole.get("input"))
    tools = _read_tools(whole)
    effort = text(obj(whole.get("reasoning")).get("effort"))
    instructions = text(whole.get("instructions"))
    return Ask(
        model=model,
        messages=tuple(said.messages),
        system=(*((Text(instructions),) if instructions else ()), *said.system),
        tools=tuple(tools.kept),
        choice=tools.choice,
        parallel=_flag(whole.get("parallel_tool_calls")),
        stream=whole.get("stream") is True,
        max_output=_whole(whole.get("max_output_tokens")),
        temperature=_number(whole.get("temperature")),
        top_p=_number(whole.get("top_p")),
        structured=_structured(obj(obj(whole.get("text")).get("format"))),
        thinking="off" if effort == "none" else None,
        effort=None if effort == "none" else effort,
        user=text(whole.get("safety_identifier")) or text(whole.get("user")),
        cache=_cache(obj(whole.get("prompt_cache_options"))),
        dropped=(*said.dropped, *tools.dropped, *_left_out(whole)),
    )


@dataclass(slots=True)
class _Tools:
    kept: list[Tool] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    choice: ToolChoice | None = None


def _read_tools(whole: Json) -> _Tools:
    tools = _Tools()
    for given in items(whole.get("tools")):
        kind = text(given.get("type")) or "function"
        if kind == "function":
            tools.kept.append(_tool(given))
            tools.dropped += [f"{name} of a tool" for name, value in given.items() if value and name not in _TOOL]
        else:
            name = f" {given['name']}" if text(given.get("name")) else ""
            tools.dropped.append(f"the tool {kind}{name}: only OpenAI has it")
    _choose(whole.get("tool_choice"), tools)
    return tools


def _tool(given: Json) -> Tool:
    return Tool(
        text(given.get("name")) or "",
        obj(given.get("parameters")),
        text(given.get("description")) or "",
        strict=_flag(given.get("strict")),
    )


def _choose(given: object, tools: _Tools) -> None:
    """Which tool is to be called. A choice that only OpenAI's own tools could meet cannot be left out."""
    if given is None or (isinstance(given, str) and given in _CHOICES):
        tools.choice = _CHOICES[given] if isinstance(given, str) else None
        return
    choice = obj(given)
    if choice.get("type") == "function":
        tools.choice = ToolChoice("tool", text(choice.get("name")) or "")
        return
    if choice.get("type") == "allowed_tools":
        names = {text(tool.get("name")) for tool in items(choice.get("tools"))}
        tools.kept = [tool for tool in tools.kept if tool.name in names]
        tools.choice = _CHOICES.get(text(choice.get("mode")) or "auto")
        return
    what = text(choice.get("type")) or text(given) or "of this form"
    raise cannot(f"tool_choice {what}", "only OpenAI has such a tool", "Choose a function, or auto.")


def _structured(given: Json) -> Structured | None:
    if given.get("type") == "json_object":
        return Structured()
    if given.get("type") != "json_schema":
        return None
    return Structured(obj(given.get("schema")), text(given.get("name")) or "reply", _flag(given.get("strict")))


def _cache(options: Json) -> str | None:
    """The breakpoint that the provider sets itself: by default for OpenAI, so only a lifetime given asks for one."""
    if options.get("mode") == "explicit" or not options.get("ttl"):
        return None
    return "1h" if options["ttl"] == "12h" else "5m"


def _left_out(whole: Json) -> Iterator[str]:
    for name, value in whole.items():
        if name not in _READ and value not in (None, [], {}, 0):
            yield f"{name}: only OpenAI has it"
    for name, usual in _USUAL.items():
        value = whole.get(name)
        if value is not None and value != usual and (name, value) != ("service_tier", "default"):
            yield f"{name} {value}".removesuffix(" True") + ": only OpenAI has it"
    wanted = whole.get("include")
    for name in wanted if isinstance(wanted, list) else []:
        if name != _CARRIED:
            yield f"include {name}: only OpenAI has it"
    for part, known in (("text", {"format"}), ("reasoning", {"effort"})):
        for name, value in obj(whole.get(part)).items():
            if name not in known and value is not None:
                yield f"{part}.{name}: only OpenAI has it"


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
