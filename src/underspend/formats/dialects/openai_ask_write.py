"""A request of Chat Completions, written for OpenAI itself or for a provider that speaks like it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.anthropic_ask_write import as_reminder, refuse_what_the_model_lacks
from underspend.formats.dialects.left_out import LeftOut
from underspend.formats.dialects.limits import effort_for, limits, nearest_effort
from underspend.formats.dialects.neutral import (
    Abilities,
    Ask,
    Document,
    Image,
    Message,
    Part,
    Text,
    Thinking,
    Tool,
    ToolResult,
    ToolUse,
)
from underspend.formats.dialects.openai_parts import write_content
from underspend.formats.dialects.schemas import function_schema, is_strict
from underspend.formats.dialects.tool_labels import exact_id, sent_name, short_id, unwrapped_id
from underspend.formats.lenient import Json

_OPENAI = frozenset({"", "openai", "azure"})
_KNOWS_EFFORT = _OPENAI | {"openrouter"}
_MEDIA = (Image, Document)
_ERROR = "ERROR: "


def write_ask(ask: Ask, target: Abilities) -> tuple[bytes, tuple[str, ...]]:
    """The body, and what of the request was left out of it. Raises CannotCarryError."""
    left_out = LeftOut()
    refuse_what_the_model_lacks(ask, target, "an OpenAI-compatible provider")
    own = target.provider in _OPENAI
    tools, moved = _tools(ask, left_out, own=own)
    body: Json = {
        "model": ask.model,
        "messages": _Conversation(target, left_out).written(ask, moved),
        **tools,
        **_limit(ask, target, left_out, own=own),
        **_reasoning(ask, target, left_out),
        **_format(ask, left_out),
        **_sampling(ask, target, left_out),
        **_stop(ask, left_out, own=own),
        **_user(ask, left_out),
        **({} if ask.seed is None else {"seed": ask.seed}),
        **({"stream": True, "stream_options": {"include_usage": True}} if ask.stream else {}),
    }
    if ask.cache is not None:
        if target.cache_control:
            body["cache_control"] = {"type": "ephemeral", **({"ttl": "1h"} if ask.cache == "1h" else {})}
        else:
            left_out.note("cache_control", "the provider caches by its own rules")
    return msgspec.json.encode(body), left_out.notes


class _Conversation:
    """Messages as Chat Completions has them: each result of a tool is a message, and calls hang on the assistant's."""

    def __init__(self, target: Abilities, left_out: LeftOut) -> None:
        self._left_out = left_out
        self._marked = target.cache_control
        self._mid_system = target.mid_system
        self._provider = target.provider

    def written(self, ask: Ask, moved: tuple[Text, ...]) -> list[Json]:
        """System first, with what did not fit the tools' descriptions; then the messages."""
        system = (*ask.system, *moved)
        made: list[Json] = [{"role": "system", "content": self._content(system)}] if system else []
        for message in ask.messages:
            made += self._message(message if self._mid_system else as_reminder(message))
        return made

    def _message(self, message: Message) -> list[Json]:
        if message.role == "assistant":
            return self._assistant(message.parts)
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        shown = [media for part in results for media in part.parts if isinstance(media, _MEDIA) and _is_media(media)]
        others: list[Part] = [part for part in message.parts if not isinstance(part, (ToolResult, ToolUse, Thinking))]
        made = [self._result(part) for part in results]
        if shown or others:
            content = self._content([*shown, *others])
            if content:
                made.append({"role": message.role, "content": content})
        return made

    def _assistant(self, parts: Iterable[Part]) -> list[Json]:
        given = list(parts)
        if any(isinstance(part, Thinking) for part in given):
            self._left_out.note("thinking", "only the model that wrote it can read it")
        calls = [self._call(part) for part in given if isinstance(part, ToolUse)]
        content = self._content([part for part in given if not isinstance(part, (ToolUse, Thinking, ToolResult))])
        if not content and not calls:
            return []
        return [{"role": "assistant", "content": content or None, **({"tool_calls": calls} if calls else {})}]

    def _call(self, part: ToolUse) -> Json:
        name = sent_name(part.name, limits("openai")["tool_name"])
        return {"id": self._id(part.id), "type": "function", "function": {"name": name, "arguments": part.arguments}}

    def _result(self, part: ToolResult) -> Json:
        words: list[Part] = [each for each in part.parts if not _is_media(each)]
        content = self._content(words)
        if part.is_error:
            content = _as_error(content)
        if len(words) < len(part.parts):
            self._left_out.note("pictures and files in a tool's result", "they follow it as a message of the user's")
            content = content or "(See the attachment in the next message.)"
        if part.cache and not self._marked:
            self._left_out.note("cache_control", "the provider caches by its own rules")
        if part.cache and self._marked and isinstance(content, str):
            ttl = {"ttl": "1h"} if part.cache == "1h" else {}
            content = [{"type": "text", "text": content, "cache_control": {"type": "ephemeral", **ttl}}]
        return {"role": "tool", "tool_call_id": self._id(part.id), "content": content}

    def _content(self, parts: Iterable[Part]) -> str | list[Json]:
        return write_content(parts, self._left_out, marked=self._marked)

    def _id(self, given: str) -> str:
        kept = unwrapped_id(given)
        if self._provider == "mistral":
            return exact_id(kept, limits("mistral")["tool_id"])
        return short_id(kept, limits("openai")["tool_id"])


def _is_media(part: Part) -> bool:
    return isinstance(part, Image) or (isinstance(part, Document) and bool(part.data or part.url))


def _as_error(content: str | list[Json]) -> str | list[Json]:
    """What a failed tool said, with a word that it failed: the dialect has no member for it."""
    if isinstance(content, list):
        return [{"type": "text", "text": _ERROR.strip()}, *content]
    says_so = content.lstrip("<[( ").lower().startswith(("error", "tool_use_error"))
    return content if says_so else _ERROR + content


def _tools(ask: Ask, left_out: LeftOut, *, own: bool) -> tuple[Json, tuple[Text, ...]]:
    """The tools' members, and what of their descriptions goes into the system prompt because OpenAI limits them."""
    if not ask.tools:
        return {}, ()
    longest: int = limits("openai")["tool_description"]
    moved = [tool for tool in ask.tools if own and len(tool.description) > longest]
    written: Json = {"tools": [_tool(tool, left_out, longest if own else None) for tool in ask.tools]}
    match ask.choice:
        case None:
            pass
        case choice if choice.kind == "tool":
            name = sent_name(choice.name, limits("openai")["tool_name"])
            written["tool_choice"] = {"type": "function", "function": {"name": name}}
        case choice:
            written["tool_choice"] = "required" if choice.kind == "any" else choice.kind
    if ask.parallel is not None:
        written["parallel_tool_calls"] = ask.parallel
    if any(tool.cache for tool in ask.tools):
        left_out.note("cache_control of tools", "the provider caches by its own rules")
    if not moved:
        return written, ()
    left_out.note("long descriptions of tools", "OpenAI limits them; the rest stands in the system prompt")
    names = limits("openai")["tool_name"]
    rest = [f"## {sent_name(tool.name, names)}\n\n{tool.description[longest:]}" for tool in moved]
    return written, (Text("# Descriptions of tools, continued\n\n" + "\n\n".join(rest)),)


def _tool(tool: Tool, left_out: LeftOut, longest: int | None) -> Json:
    function: Json = {"name": sent_name(tool.name, limits("openai")["tool_name"])}
    if tool.description:
        function["description"] = tool.description[:longest]
    function["parameters"] = function_schema(tool.schema)
    if tool.strict is not None:
        strict = tool.strict and is_strict(function["parameters"])
        if strict != tool.strict:
            left_out.note(f"strict of the tool {tool.name}", "OpenAI enforces only closed schemas without options")
        function["strict"] = strict
    return {"type": "function", "function": function}


def _limit(ask: Ask, target: Abilities, left_out: LeftOut, *, own: bool) -> Json:
    limit, most = ask.max_output, target.max_output
    if limit is None:
        return {}
    if most is not None and limit > most:
        left_out.note(f"a limit of {limit} tokens", f"the model's own is {most}")
        limit = most
    # OpenAI's reasoning models refuse the older name, many compatible servers know only it.
    return {"max_completion_tokens" if own else "max_tokens": limit}


def _reasoning(ask: Ask, target: Abilities, left_out: LeftOut) -> Json:
    wanted = ask.effort
    if target.efforts is None and target.provider not in _KNOWS_EFFORT:
        # Many compatible servers answer a member that they do not know with a 400.
        if wanted is not None or ask.thinking is not None:
            left_out.note("effort and thinking", f"it is not known whether {ask.model} takes them")
        return {}
    if ask.thinking == "off":
        if target.thinking and (target.efforts is None or "none" in target.efforts):
            return {"reasoning_effort": "none"}
        wanted = "minimal" if target.thinking else None
    elif wanted is None and isinstance(ask.thinking, int):
        wanted = effort_for(ask.thinking)
        left_out.note("a budget for thinking", f"effort {wanted} is asked for instead")
    if wanted is None:
        return {}
    effort = nearest_effort(wanted, target.efforts) if target.thinking else None
    if effort is None:
        left_out.note(f"effort {wanted}", "the model does not reason")
        return {}
    if effort != wanted:
        left_out.note(f"effort {wanted}", f"the model has none such: {effort} is asked for")
    return {"reasoning_effort": effort}


def _format(ask: Ask, left_out: LeftOut) -> Json:
    wanted = ask.structured
    if wanted is None:
        return {}
    if wanted.schema is None:
        return {"response_format": {"type": "json_object"}}
    schema: Json = {"name": sent_name(wanted.name, limits("openai")["schema_name"]), "schema": wanted.schema}
    if wanted.strict is not None:
        strict = wanted.strict and is_strict(wanted.schema)
        if strict != wanted.strict:
            left_out.note("enforcing the schema", "OpenAI enforces only closed schemas without options")
        schema["strict"] = strict
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _sampling(ask: Ask, target: Abilities, left_out: LeftOut) -> Json:
    given = {"temperature": ask.temperature, "top_p": ask.top_p}
    wanted: Json = {name: value for name, value in given.items() if value is not None}
    if ask.top_k is not None:
        left_out.note("top_k", "Chat Completions has nothing like it")
    if not target.sampling:
        left_out.unknown(name for name, value in wanted.items() if value != 1)
        return {}
    return wanted


def _stop(ask: Ask, left_out: LeftOut, *, own: bool) -> Json:
    words = list(dict.fromkeys(word for word in ask.stop if word))
    most: int = limits("openai")["stop_sequences"]
    if own and len(words) > most:
        raise CannotCarryError(
            what=f"A request with {len(words)} stop sequences",
            provider="OpenAI",
            problem=f"it takes {most} at most, and the reply would go on where it should stop",
            mend="Give fewer, or leave the call on an Anthropic model.",
        )
    if len(words) < len(ask.stop):
        left_out.note("empty or repeated stop sequences", "they do nothing")
    return {"stop": words} if words else {}


def _user(ask: Ask, left_out: LeftOut) -> Json:
    if ask.user is None:
        return {}
    if len(ask.user) > limits("openai")["user"]:
        left_out.note("the user's id", "it is longer than OpenAI takes")
        return {}
    return {"user": ask.user}
