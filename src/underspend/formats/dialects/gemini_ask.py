"""A request in the neutral form → the body of `generateContent`. Model and streaming are in its address, not here."""

from __future__ import annotations

import msgspec

from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.gemini_contents import Contents, name_of
from underspend.formats.dialects.gemini_schema import cleaned
from underspend.formats.dialects.left_out import LeftOut
from underspend.formats.dialects.limits import budget_for, effort_for, nearest_effort
from underspend.formats.dialects.neutral import Abilities, Ask
from underspend.formats.dialects.schemas import function_schema
from underspend.formats.lenient import Json

_LEVELS = ("minimal", "low", "medium", "high")
"""Of `thinkingLevel`, where a model's own are not known."""
_MODES = {"auto": "AUTO", "any": "ANY", "tool": "ANY", "none": "NONE"}


def write_ask(ask: Ask, abilities: Abilities) -> tuple[bytes, tuple[str, ...]]:
    """The body, and what was left out of it. Raises CannotCarryError where the reply would not be what was asked."""
    _check(ask, abilities)
    left_out = LeftOut()
    body: Json = {"contents": Contents(abilities, left_out).write(ask.messages)}
    if ask.system:
        body["systemInstruction"] = {"parts": [{"text": part.text} for part in ask.system if part.text]}
    body |= _tools(ask, left_out)
    settings = _sampling(ask, abilities, left_out) | _format(ask, left_out) | _thinking(ask, abilities, left_out)
    if settings:
        body["generationConfig"] = settings
    _note(ask, left_out)
    return msgspec.json.encode(body), left_out.notes


def _check(ask: Ask, abilities: Abilities) -> None:
    for given, able, what in (
        (ask.tools, abilities.tools, "tools"),
        (ask.structured, abilities.structured, "a schema of the reply"),
    ):
        if given and not able:
            problem = f"{ask.model} does not take it"
            raise CannotCarryError(what=what, provider="Gemini", problem=problem, mend="Ask another model.")


def _tools(ask: Ask, left_out: LeftOut) -> Json:
    said: Json = {}
    if ask.tools:
        said["tools"] = [{"functionDeclarations": [_declaration(ask, at, left_out) for at in range(len(ask.tools))]}]
    if ask.choice is not None and ask.tools:
        calling: Json = {"mode": _MODES[ask.choice.kind]}
        if ask.choice.kind == "tool":
            calling["allowedFunctionNames"] = [name_of(ask.choice.name)]
        said["toolConfig"] = {"functionCallingConfig": calling}
    return said


def _declaration(ask: Ask, at: int, left_out: LeftOut) -> Json:
    tool = ask.tools[at]
    schema, gone = cleaned(function_schema(tool.schema))
    for word in gone:
        left_out.note(f"{word} in the schema of a tool", "Gemini does not take it")
    if tool.strict:
        left_out.note("strict of a tool", "Gemini has none")
    return {"name": name_of(tool.name), "description": tool.description, "parametersJsonSchema": schema}


def _sampling(ask: Ask, abilities: Abilities, left_out: LeftOut) -> Json:
    said: Json = {}
    if ask.max_output is not None:
        said["maxOutputTokens"] = min(ask.max_output, abilities.max_output or ask.max_output)
        if said["maxOutputTokens"] < ask.max_output:
            left_out.note(f"max_output {ask.max_output}", f"{ask.model} gives at most {abilities.max_output}")
    if ask.stop:
        said["stopSequences"] = list(ask.stop)
    given = {"temperature": ask.temperature, "topP": ask.top_p, "topK": ask.top_k}
    asked = {name: value for name, value in given.items() if value is not None}
    if asked and not abilities.sampling:
        left_out.note(", ".join(asked), f"{ask.model} takes none")
        asked = {}
    return {**said, **asked, **({} if ask.seed is None else {"seed": ask.seed})}


def _format(ask: Ask, left_out: LeftOut) -> Json:
    if ask.structured is None:
        return {}
    said: Json = {"responseMimeType": "application/json"}
    if ask.structured.schema is None:
        return said
    schema, gone = cleaned(ask.structured.schema)
    for word in gone:
        left_out.note(f"{word} in the schema of the reply", "Gemini does not take it")
    return {**said, "responseJsonSchema": schema}


def _thinking(ask: Ask, abilities: Abilities, left_out: LeftOut) -> Json:
    """`thinkingConfig`: by level where the model has levels, by budget where it is known to have none."""
    if not abilities.thinking:
        if ask.effort or ask.thinking not in {None, "off"}:
            left_out.note("thinking and effort", f"{ask.model} does not reason")
        return {}
    said: Json = {}
    if ask.thinking == "off":
        said = _no_thinking(ask, abilities, left_out)
    elif ask.effort is not None:
        said = _effort(ask, ask.effort, abilities, left_out)
    elif isinstance(ask.thinking, int):
        said = _budget(ask.thinking, abilities, left_out)
    if ask.thinking not in {None, "off"}:
        said["includeThoughts"] = True
    return {"thinkingConfig": said} if said else {}


def _no_thinking(ask: Ask, abilities: Abilities, left_out: LeftOut) -> Json:
    if abilities.quiet and not abilities.efforts:
        return {"thinkingBudget": 0}
    level = nearest_effort("minimal", _LEVELS if abilities.efforts is None else abilities.efforts)
    if level is None:
        left_out.note("thinking off", f"{ask.model} always thinks")
        return {}
    left_out.note("thinking off", f"{ask.model} thinks at least at the level {level}")
    return {"thinkingLevel": level}


def _effort(ask: Ask, effort: str, abilities: Abilities, left_out: LeftOut) -> Json:
    if isinstance(ask.thinking, int):
        left_out.note("the budget of thinking", "the effort that came with it is sent")
    if abilities.efforts == ():
        budget = budget_for(effort)
        left_out.note(f"effort {effort}", f"{ask.model} goes by a budget, {budget} tokens")
        return {"thinkingBudget": budget}
    level = nearest_effort(effort, abilities.efforts or _LEVELS)
    if level != effort:
        left_out.note(f"effort {effort}", f"{ask.model} takes {level}")
    return {"thinkingLevel": level}


def _budget(budget: int, abilities: Abilities, left_out: LeftOut) -> Json:
    if not abilities.efforts:
        return {"thinkingBudget": budget}
    level = nearest_effort(effort_for(budget), abilities.efforts)
    left_out.note("the budget of thinking", f"the model goes by level, {level}")
    return {"thinkingLevel": level}


def _note(ask: Ask, left_out: LeftOut) -> None:
    if ask.cache or any(part.cache for part in ask.system) or any(tool.cache for tool in ask.tools):
        left_out.note("cache_control", "Gemini caches by itself")
    if ask.parallel is False:
        left_out.note("one tool call at a time", "Gemini cannot be held to it")
    if ask.user is not None:
        left_out.note("user", "Gemini has none")
