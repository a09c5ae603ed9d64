"""A request of the Messages API, read: Claude Code's own, and any SDK's.

What is only for Anthropic's servers is left out and said; what the reply would not be right without is refused.
"""

from __future__ import annotations

from typing import Literal

from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.anthropic_parts import read_blocks, read_cache
from underspend.formats.dialects.left_out import LeftOut
from underspend.formats.dialects.neutral import Ask, Message, Structured, Text, Tool, ToolChoice, ToolResult, ToolUse
from underspend.formats.dialects.requests import decoded, number, whole
from underspend.formats.lenient import Json, items, obj, text

_READ = frozenset(
    {
        "model", "messages", "system", "tools", "tool_choice", "max_tokens", "stream", "temperature", "top_p", "top_k",
        "stop_sequences", "thinking", "output_config", "output_format", "metadata", "cache_control",
    }
)  # fmt: skip
_WHY = {
    "safeguards": "only Anthropic checks actions; Claude Code's auto mode stops where they are not checked",
    "context_management": "only Anthropic's servers clear a context",
    "diagnostics": "only Anthropic's servers say why a cache was missed",
    "mcp_servers": "only Anthropic's servers call them",
    "container": "it is at Anthropic",
    "service_tier": "tiers are each provider's own",
    "speed": "speeds are each provider's own",
    "inference_geo": "regions are each provider's own",
    "betas": "they are Anthropic's own",
}
_OF_TOOLS = frozenset(
    {"type", "name", "description", "input_schema", "strict", "cache_control", "defer_loading", "eager_input_streaming"}
)
_BILLING = "x-anthropic-billing-header:"
_ROLES: dict[object, Literal["user", "assistant", "system"]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
}


def read_ask(body: bytes) -> Ask:
    """A request's body in the neutral form.

    Raises ValueError for what is no request of the Messages API, CannotCarryError for what only Anthropic can do.
    """
    given, left_out = decoded(body), LeftOut()
    for name, value in given.items():
        if name not in _READ and value not in (None, [], {}):
            left_out.note(name, _WHY.get(name, "the provider has nothing like it"))
    config = obj(given.get("output_config"))
    tools = _read_tools(given, left_out)
    choice, parallel = _read_choice(obj(given.get("tool_choice")), tools)
    return Ask(
        model=text(given.get("model")) or "",
        messages=_read_messages(given.get("messages"), left_out),
        system=_read_system(given.get("system"), left_out),
        tools=tools,
        choice=choice,
        parallel=parallel,
        stream=given.get("stream") is True,
        max_output=whole(given.get("max_tokens")),
        temperature=number(given.get("temperature")),
        top_p=number(given.get("top_p")),
        top_k=whole(given.get("top_k")),
        stop=tuple(word for word in _list(given.get("stop_sequences")) if isinstance(word, str)),
        structured=_read_format(config.get("format") or given.get("output_format")),
        thinking=_read_thinking(obj(given.get("thinking"))),
        effort=text(config.get("effort")),
        user=_read_user(obj(given.get("metadata")), left_out),
        cache=read_cache(given),
        dropped=left_out.notes,
    )


def _read_system(given: object, left_out: LeftOut) -> tuple[Text, ...]:
    texts = [Text(given)] if isinstance(given, str) else read_blocks(given, left_out)
    found = tuple(part for part in texts if isinstance(part, Text) and part.text)
    kept = tuple(part for part in found if not part.text.startswith(_BILLING))
    if len(kept) < len(found):
        left_out.note("Claude Code's billing header", "it is for Anthropic, and differs for each conversation")
    return kept


def _read_messages(given: object, left_out: LeftOut) -> tuple[Message, ...]:
    messages, names = list[Message](), dict[str, str]()
    for message in items(given):
        role = _ROLES.get(message.get("role"))
        if role is None:
            raise ValueError(f"a message has the role {message.get('role')!r}")
        if message.get("output_config") is not None:
            left_out.note("output_config of a message", "effort holds for the whole request")
        parts = read_blocks(message.get("content"), left_out)
        names.update((part.id, part.name) for part in parts if isinstance(part, ToolUse))
        named = tuple(_named(part, names) if isinstance(part, ToolResult) else part for part in parts)
        if named:
            messages.append(Message(role, named))
    return tuple(messages)


def _named(part: ToolResult, names: dict[str, str]) -> ToolResult:
    return ToolResult(part.id, part.parts, part.is_error, names.get(part.id, ""), part.cache)


def _read_tools(given: Json, left_out: LeftOut) -> tuple[Tool, ...]:
    tools = items(given.get("tools"))
    own = [tool for tool in tools if tool.get("type") in {None, "custom"}]
    served = [tool for tool in tools if tool.get("type") not in {None, "custom"}]
    chosen = text(obj(given.get("tool_choice")).get("name"))
    for tool in served:
        name = text(tool.get("name")) or str(tool.get("type"))
        if (chosen is not None and name == chosen) or not own:
            raise CannotCarryError(
                what=f"The tool {name}",
                provider="another provider",
                problem="Anthropic defines it, and most such tools run on its servers",
                mend="Leave calls that need it on an Anthropic model.",
            )
        left_out.note(f"the tool {name}", "Anthropic defines it")
    searched = any("tool_search" in str(tool.get("type")) for tool in served)
    loaded = _loaded(given.get("messages"))
    kept = [
        tool for tool in own if searched or tool.get("defer_loading") is not True or text(tool.get("name")) in loaded
    ]
    if len(kept) < len(own):
        left_out.note("tools that wait to be loaded", "they are sent once the model has asked for them")
    return tuple(_read_tool(tool, left_out) for tool in kept)


def _loaded(messages: object) -> set[str | None]:
    """The names of deferred tools that a search has found."""
    blocks = (block for message in items(messages) for block in items(message.get("content")))
    found = (inner for block in blocks for inner in items(block.get("content")))
    return {text(inner.get("tool_name")) for inner in found if inner.get("type") == "tool_reference"}


def _read_tool(tool: Json, left_out: LeftOut) -> Tool:
    left_out.unknown(f"{name} of tools" for name, value in tool.items() if name not in _OF_TOOLS and value)
    strict = tool.get("strict")
    return Tool(
        text(tool.get("name")) or "",
        obj(tool.get("input_schema")),
        text(tool.get("description")) or "",
        strict if isinstance(strict, bool) else None,
        read_cache(tool),
    )


def _read_choice(given: Json, tools: tuple[Tool, ...]) -> tuple[ToolChoice | None, bool | None]:
    alone = given.get("disable_parallel_tool_use")
    parallel = None if not isinstance(alone, bool) else not alone
    match given.get("type"):
        case "auto" | "any" | "none" as kind if tools:
            return ToolChoice(kind), parallel
        case "tool" if tools:
            return ToolChoice("tool", text(given.get("name")) or ""), parallel
    return None, parallel


def _read_format(given: object) -> Structured | None:
    schema = obj(given).get("schema")
    return Structured(schema, strict=True) if isinstance(schema, dict) else None


def _read_thinking(given: Json) -> Literal["off", "adaptive"] | int | None:
    match given.get("type"):
        case "disabled":
            return "off"
        case "adaptive" | "between_tools":
            return "adaptive"
        case "enabled":
            return whole(given.get("budget_tokens")) or "adaptive"
    return None


def _read_user(metadata: Json, left_out: LeftOut) -> str | None:
    user = text(metadata.get("user_id"))
    if user is not None and user.startswith("{"):
        left_out.note("metadata", "it holds Claude Code's ids of device and session")
        return None
    return user


def _list(given: object) -> list[object]:
    return given if isinstance(given, list) else []
