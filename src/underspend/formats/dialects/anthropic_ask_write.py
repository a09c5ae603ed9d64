"""A request of the Messages API, written for the model that it goes to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.anthropic_parts import NAME, write_blocks, write_cache
from underspend.formats.dialects.left_out import LeftOut
from underspend.formats.dialects.limits import budget_for, limits, nearest_effort
from underspend.formats.dialects.neutral import (
    Abilities,
    Ask,
    Document,
    Image,
    Message,
    Part,
    Text,
    Tool,
    ToolResult,
)
from underspend.formats.dialects.schemas import enforceable, function_schema
from underspend.formats.dialects.tool_labels import sent_name
from underspend.formats.lenient import Json
from underspend.pricing.capabilities import thinking_budgets

PROVIDER = "Anthropic"
_NOT_ENFORCED = "Anthropic does not enforce it; the model is told of it"


def write_ask(ask: Ask, target: Abilities) -> tuple[bytes, tuple[str, ...]]:
    """The body, and what of the request was left out of it. Raises CannotCarryError."""
    left_out = LeftOut()
    refuse_what_the_model_lacks(ask, target, PROVIDER)
    thinking = _thinking(ask, target, left_out)
    config = {**_effort(ask, target, left_out), **_format(ask, left_out)}
    system, messages = _conversation(ask, target)
    body: Json = {
        "model": ask.model,
        "messages": _write_messages(messages, left_out),
        **({"system": write_blocks(system, left_out)} if system else {}),
        **_tools(ask, left_out),
        "max_tokens": _max_tokens(ask, target, left_out),
        **({"thinking": thinking} if thinking else {}),
        **({"output_config": config} if config else {}),
        **_sampling(ask, target, left_out, thinks=thinking.get("type") in {"adaptive", "enabled"}),
        **({"stop_sequences": kept} if (kept := [word for word in ask.stop if word.strip()]) else {}),
        **({"metadata": {"user_id": ask.user}} if ask.user else {}),
        **write_cache(ask.cache),
        **({"stream": True} if ask.stream else {}),
    }
    if len(kept) < len(ask.stop):
        left_out.note("blank stop sequences", "Anthropic refuses them")
    if ask.seed is not None:
        left_out.note("seed", "Anthropic has nothing like it")
    return msgspec.json.encode(body), left_out.notes


def refuse_what_the_model_lacks(ask: Ask, target: Abilities, provider: str) -> None:
    """Raise CannotCarryError for what the reply would not be right without, and the model cannot do."""
    kinds = {type(part) for part in _all_parts(ask.messages)}
    lacking = (
        (Image in kinds and not target.images, "A picture", "reads no pictures"),
        (Document in kinds and not target.documents, "A document", "reads no documents"),
        (bool(ask.tools) and not target.tools, "A call with tools", "calls no tools"),
        (
            ask.structured is not None and ask.structured.schema is not None and not target.structured,
            "A reply that must fit a schema",
            "keeps to no schema",
        ),
        (_is_forced(ask) and not target.forced_tools, "A call that demands a tool", "cannot be made to call one"),
    )
    for lacks, what, problem in lacking:
        if lacks:
            raise CannotCarryError(
                what=what,
                provider=target.provider or provider,
                problem=f"{ask.model} {problem}",
                mend="Choose a model that does, or leave such calls on the model they ask for.",
            )


def _is_forced(ask: Ask) -> bool:
    return ask.choice is not None and ask.choice.kind in {"any", "tool"}


def _all_parts(messages: Iterable[Message]) -> Iterable[Part]:
    for message in messages:
        for part in message.parts:
            yield part
            if isinstance(part, ToolResult):
                yield from part.parts


def _conversation(ask: Ask, target: Abilities) -> tuple[tuple[Text, ...], tuple[Message, ...]]:
    """System and messages such that the first message is the user's, as Anthropic wants it."""
    messages = ask.messages if target.mid_system else tuple(map(as_reminder, ask.messages))
    if any(message.role != "system" for message in messages):
        return ask.system, messages
    # Only instructions: they are what is asked.
    said = tuple(part for message in messages for part in message.parts) or ask.system
    return (ask.system if messages else ()), (Message("user", said),)


def as_reminder(message: Message) -> Message:
    """A system message in the midst as a user's message, marked as Claude Code marks its own reminders."""
    if message.role != "system":
        return message
    marked = (
        replace(part, text=f"<system-reminder>\n{part.text}\n</system-reminder>") if isinstance(part, Text) else part
        for part in message.parts
    )
    return Message("user", tuple(marked))


def _write_messages(messages: Iterable[Message], left_out: LeftOut) -> list[Json]:
    written = list[Json]()
    for message in messages:
        blocks = write_blocks(message.parts, left_out)
        if not blocks:
            continue
        if not written and message.role != "user":
            left_out.note("a first message that is not the user's", "a user's message was put before it")
            written.append({"role": "user", "content": "(The conversation begins.)"})
        if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
            written.append({"role": message.role, "content": blocks[0]["text"]})
        else:
            written.append({"role": message.role, "content": blocks})
    return written


def _tools(ask: Ask, left_out: LeftOut) -> Json:
    if not ask.tools:
        return {}
    written: Json = {"tools": [_tool(tool, left_out) for tool in ask.tools]}
    choice: Json = {}
    if ask.choice is not None:
        choice["type"] = ask.choice.kind
        if ask.choice.kind == "tool":
            choice["name"] = sent_name(ask.choice.name, limits(NAME)["tool_name"])
    if ask.parallel is not None and choice.get("type") != "none":
        choice = {"type": "auto", **choice, "disable_parallel_tool_use": not ask.parallel}
    return {**written, "tool_choice": choice} if choice else written


def _tool(tool: Tool, left_out: LeftOut) -> Json:
    schema = function_schema(tool.schema)
    if tool.strict:
        schema, gone = enforceable(schema)
        if gone:
            left_out.note(f"{', '.join(gone)} of the tool {tool.name}", _NOT_ENFORCED)
    return {
        "name": sent_name(tool.name, limits(NAME)["tool_name"]),
        **({"description": tool.description} if tool.description else {}),
        "input_schema": schema,
        **({} if tool.strict is None else {"strict": tool.strict}),
        **write_cache(tool.cache),
    }


def _max_tokens(ask: Ask, target: Abilities, left_out: LeftOut) -> int:
    most = target.max_output
    if ask.max_output is None:
        given: int = limits(NAME)["max_tokens"] if most is None else most
        return given
    if most is not None and ask.max_output > most:
        left_out.note(f"a limit of {ask.max_output} tokens", f"the model's own is {most}")
        return most
    return ask.max_output


def _thinking(ask: Ask, target: Abilities, left_out: LeftOut) -> Json:
    wanted = ask.thinking
    if wanted is None:
        return {}
    if wanted == "off":
        if target.thinking and not target.quiet:
            left_out.note("thinking turned off", "the model always thinks")
        return {"type": "disabled"} if target.thinking and target.quiet else {}
    if not target.thinking:
        left_out.note("thinking", "the model does not think")
        return {}
    if _is_forced(ask):
        left_out.note("thinking", "Anthropic does not think where a tool must be called")
        return {}
    if target.adaptive:
        if isinstance(wanted, int):
            left_out.note("a budget for thinking", "the model decides itself how much to think")
        return {"type": "adaptive"}
    return _budgeted(ask, target, left_out)


def _budgeted(ask: Ask, target: Abilities, left_out: LeftOut) -> Json:
    """Thinking by budget, where it fits: into the limit, and onto the last turn.

    A model that thinks by budget refuses a tool loop whose beginning it did not think about.
    """
    limit = _max_tokens(ask, target, LeftOut())
    least = thinking_budgets()["least"]
    wanted = ask.thinking if isinstance(ask.thinking, int) else budget_for(ask.effort or "medium")
    budget = min(wanted, limit - least)
    if budget < least:
        left_out.note("thinking", f"a limit of {limit} tokens leaves no room for it")
        return {}
    if ask.messages and any(isinstance(part, ToolResult) for part in ask.messages[-1].parts):
        left_out.note("thinking", "the turn began without it")
        return {}
    return {"type": "enabled", "budget_tokens": max(budget, least)}


def _effort(ask: Ask, target: Abilities, left_out: LeftOut) -> Json:
    if ask.effort is None or ask.effort == "none":
        return {}
    taken = target.efforts if target.efforts is not None else ("low", "medium", "high", "xhigh", "max")
    effort = nearest_effort(ask.effort, taken)
    if effort is None:
        left_out.note(f"effort {ask.effort}", "the model takes none")
        return {}
    if effort != ask.effort:
        left_out.note(f"effort {ask.effort}", f"the model has none such: {effort} is asked for")
    return {"effort": effort}


def _format(ask: Ask, left_out: LeftOut) -> Json:
    if ask.structured is None:
        return {}
    if ask.structured.schema is None:
        left_out.note("response_format json_object", "Anthropic enforces schemas only; the prompt alone asks for JSON")
        return {}
    schema, gone = enforceable(ask.structured.schema)
    if gone:
        left_out.note(f"{', '.join(gone)} of the schema", _NOT_ENFORCED)
    return {"format": {"type": "json_schema", "schema": schema}}


def _sampling(ask: Ask, target: Abilities, left_out: LeftOut, *, thinks: bool) -> Json:
    given = {"temperature": ask.temperature, "top_p": ask.top_p, "top_k": ask.top_k}
    wanted: Json = {name: value for name, value in given.items() if value is not None}
    if not target.sampling or thinks:
        for name, value in wanted.items():
            if name == "temperature" and value == 1:
                continue
            left_out.note(name, "Anthropic takes none with thinking" if thinks else "the model takes none")
        return {}
    if "temperature" in wanted and "top_p" in wanted:
        left_out.note("top_p", "Anthropic takes either it or a temperature")
        del wanted["top_p"]
    most: float = limits(NAME)["most_temperature"]
    if wanted.get("temperature", 0) > most:
        left_out.note(f"a temperature of {wanted['temperature']:g}", f"Anthropic's highest is {most:g}")
        wanted["temperature"] = most
    return wanted
