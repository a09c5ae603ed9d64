"""A request in the neutral form → the body of `POST /v1/responses`. Nothing is kept at the provider."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from underspend.formats.dialects.limits import effort_for, limits, nearest_effort
from underspend.formats.dialects.neutral import Abilities, Ask, Structured, Tool, ToolChoice
from underspend.formats.dialects.responses_content import cannot
from underspend.formats.dialects.responses_input_writer import CACHE_MARKS, InputWriter, name_of
from underspend.formats.dialects.schemas import function_schema
from underspend.formats.dialects.tool_labels import sent_name
from underspend.formats.lenient import Json

_OPENAI = "OpenAI"
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def write_ask(ask: Ask, abilities: Abilities) -> tuple[bytes, tuple[str, ...]]:
    """The body, and what was left out of it. Raises CannotCarryError where the reply would not be what was asked."""
    _check(ask, abilities)
    writer = InputWriter(abilities)
    body: Json = {"model": ask.model, "input": writer.write(ask.messages), "store": False}
    if ask.system:
        body["instructions"] = "\n\n".join(part.text for part in ask.system)
    if ask.cache and abilities.cache_control:
        body["prompt_cache_options"] = {"mode": "implicit", "ttl": "12h" if ask.cache == "1h" else "30m"}
    body |= _tools(ask)
    body |= _format(ask.structured)
    body |= _reasoning(ask, abilities)
    body |= _numbers(ask, abilities)
    if ask.stream:
        body["stream"] = True
    return msgspec.json.encode(body), (*writer.dropped, *_left_out(ask, abilities, writer))


def write_tool(tool: Tool) -> Json:
    """One function. Without `strict` OpenAI would hold the schema to its own narrower rules."""
    said: Json = {"type": "function", "name": name_of(tool.name), "parameters": function_schema(tool.schema)}
    described = {"description": tool.description} if tool.description else {}
    return {**said, **described, "strict": bool(tool.strict)}


def write_choice(choice: ToolChoice | None) -> Json | str:
    """`tool_choice`; "auto" where none was given."""
    if choice is None:
        return "auto"
    return {"type": "function", "name": name_of(choice.name)} if choice.kind == "tool" else _CHOICES[choice.kind]


def write_format(structured: Structured) -> Json:
    """`text.format`: a schema, or any object."""
    if structured.schema is None:
        return {"type": "json_object"}
    said: Json = {"type": "json_schema", "name": _format_name(structured), "schema": dict(structured.schema)}
    return said if structured.strict is None else {**said, "strict": structured.strict}


def _format_name(structured: Structured) -> str:
    return sent_name(structured.name, limits("openai")["schema_name"])


def _check(ask: Ask, abilities: Abilities) -> None:
    if ask.stop:
        raise cannot("stop sequences", "the Responses API has none", "Leave them out.", provider=_OPENAI)
    if ask.tools and not abilities.tools:
        raise cannot("tools", f"{ask.model} calls none", "Ask another model.", provider=_OPENAI)
    if ask.structured and not abilities.structured:
        raise cannot("a schema of the reply", f"{ask.model} keeps to none", "Ask another model.", provider=_OPENAI)


def _tools(ask: Ask) -> Json:
    said: Json = {}
    if ask.tools:
        said["tools"] = [write_tool(tool) for tool in ask.tools]
    if ask.choice is not None:
        said["tool_choice"] = write_choice(ask.choice)
    if ask.parallel is not None:
        said["parallel_tool_calls"] = ask.parallel
    return said


def _format(structured: Structured | None) -> Json:
    return {"text": {"format": write_format(structured)}} if structured else {}


def _reasoning(ask: Ask, abilities: Abilities) -> Json:
    if not abilities.thinking:
        return {}
    # Without `store` the proof of the reasoning must come with the reply, to be sent back.
    said: Json = {"include": ["reasoning.encrypted_content"]}
    effort = _effort(ask, abilities)
    return {**said, "reasoning": {"effort": effort}} if effort else said


def _effort(ask: Ask, abilities: Abilities) -> str | None:
    """The word for effort: "none" for no thinking where the model takes it, and what stands for a budget."""
    taken = abilities.efforts
    if ask.thinking == "off":
        quiet = abilities.quiet and (taken is None or "none" in taken)
        return "none" if quiet else nearest_effort("minimal", taken)
    asked = ask.effort or (effort_for(ask.thinking) if isinstance(ask.thinking, int) else None)
    return nearest_effort(asked, taken) if asked else None


def _numbers(ask: Ask, abilities: Abilities) -> Json:
    said: Json = {}
    if ask.max_output is not None:
        most = abilities.max_output
        said["max_output_tokens"] = ask.max_output if most is None else min(ask.max_output, most)
    if abilities.sampling:
        said |= {} if ask.temperature is None else {"temperature": ask.temperature}
        said |= {} if ask.top_p is None else {"top_p": ask.top_p}
    if ask.user is not None and len(ask.user) <= limits("openai")["user"]:
        said["safety_identifier"] = ask.user
    return said


def _left_out(ask: Ask, abilities: Abilities, writer: InputWriter) -> Iterator[str]:
    """What of the request itself is not said, in words for the user."""
    marks = [
        None if abilities.cache_control else ask.cache,
        *(part.cache for part in ask.system),
        *(tool.cache for tool in ask.tools),
    ]
    if any(marks) and CACHE_MARKS not in writer.dropped:
        yield CACHE_MARKS
    if ask.top_k is not None:
        yield "top_k: OpenAI has none"
    if ask.seed is not None:
        yield "seed: the Responses API has none"
    if not abilities.sampling and (ask.temperature is not None or ask.top_p is not None):
        yield f"temperature and top_p: {ask.model} takes none"
    if ask.user is not None and len(ask.user) > limits("openai")["user"]:
        yield "user: it is longer than OpenAI takes"
    if ask.max_output is not None and abilities.max_output is not None and ask.max_output > abilities.max_output:
        yield f"max_output {ask.max_output}: {ask.model} gives at most {abilities.max_output}"
    yield from _reasoning_left_out(ask, abilities)


def _reasoning_left_out(ask: Ask, abilities: Abilities) -> Iterator[str]:
    if not abilities.thinking:
        if ask.effort or ask.thinking not in {None, "off"}:
            yield f"thinking and effort: {ask.model} does not reason"
        return
    said = _effort(ask, abilities)
    if ask.thinking == "off" and said != "none":
        yield f"thinking off: {ask.model} thinks at least at effort {said}"
    elif isinstance(ask.thinking, int):
        yield f"the budget of thinking: OpenAI goes by effort, {said}"
    elif ask.thinking != "off" and said != ask.effort:
        yield f"effort {ask.effort}: {ask.model} takes {said}"
