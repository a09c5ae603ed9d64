"""What a request asks for, as far as it can be seen without understanding it: `routing.beliefs.Asked` from the wire.

What clients add to a user's words of their own accord (Claude Code's reminders) is not the user's and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from underspend.core.call import Identity
from underspend.formats.anthropic_request import MessagesRequest
from underspend.formats.lenient import Json, count, decode, items, obj, text
from underspend.routing.beliefs import Asked
from underspend.routing.reading import cut

_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_REMINDERS = ("<system-reminder>", "<local-command-caveat>", "Caveat: The messages below were")
_SYSTEM_CHARS = 500
_BILLING = "x-anthropic-billing-header"
_TEXTS = frozenset({"text", "input_text"})
_IMAGES = frozenset({"image", "image_url", "input_image"})
_DOCUMENTS = frozenset({"document", "file", "input_file"})
_INSTRUCTIONS = frozenset({"system", "developer"})
_NOTHING = msgspec.Raw(b"null")


class _Chat(msgspec.Struct):
    messages: msgspec.Raw = _NOTHING
    input: msgspec.Raw = _NOTHING
    instructions: msgspec.Raw = _NOTHING
    tools: msgspec.Raw = _NOTHING
    response_format: msgspec.Raw = _NOTHING
    text: msgspec.Raw = _NOTHING
    reasoning_effort: msgspec.Raw = _NOTHING
    reasoning: msgspec.Raw = _NOTHING


_decode_chat = msgspec.json.Decoder(_Chat).decode
_decode_output = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def of_messages(request: MessagesRequest, who: Identity) -> Asked:
    """What a Messages request asks for. Only its last prompt is read, however long the conversation is."""
    turns, prompt = _last_prompt(_elements(request.messages))
    said = list(_words(prompt))
    return Asked(
        text=cut("\n".join(said)),
        system=_system(request.system),
        prompt_chars=len(request.messages) + len(request.system) + len(request.tools),
        text_chars=sum(map(len, said)),
        turns=turns,
        tools=len(_elements(request.tools)),
        structured=_is_structured(request.raw),
        images=_count(prompt, _IMAGES),
        documents=_count(prompt, _DOCUMENTS),
        max_output=request.max_tokens,
        thinking=request.thinking_budget > 0 or request.effort is not None,
        role=who.role,
        agent_type=who.agent_type,
    )


def of_chat(raw: bytes, who: Identity, *, max_output: int = 0) -> Asked:
    """What an OpenAI-style request (Chat Completions or Responses) asks for."""
    try:
        body = _decode_chat(raw)
    except (msgspec.DecodeError, RecursionError):
        return Asked(text="", role=who.role, agent_type=who.agent_type)
    messages = bytes(body.input if bytes(body.messages) == b"null" else body.messages)
    elements = _elements(messages)
    turns, prompt = _last_prompt(elements)
    said = list(_words(prompt))
    form = text(obj(decode(body.response_format) or obj(decode(body.text)).get("format")).get("type"))
    return Asked(
        text=cut("\n".join(said)),
        system=_instructions(elements, text(decode(body.instructions))),
        prompt_chars=len(messages) + len(bytes(body.tools)),
        text_chars=sum(map(len, said)),
        turns=turns,
        tools=len(_elements(bytes(body.tools))),
        structured=form in {"json_schema", "json_object"},
        images=_count(prompt, _IMAGES),
        documents=_count(prompt, _DOCUMENTS),
        max_output=count(max_output),
        thinking=bool(text(decode(body.reasoning_effort)) or obj(decode(body.reasoning))),
        role=who.role,
        agent_type=who.agent_type,
    )


def _elements(raw: bytes) -> list[msgspec.Raw]:
    """The elements of a JSON list; a lone string is a list of itself."""
    if raw.startswith(b'"'):
        return [msgspec.Raw(b'{"role":"user","content":' + raw + b"}")]
    try:
        return _decode_list(raw)
    except (msgspec.DecodeError, RecursionError):
        return []


def _last_prompt(elements: list[msgspec.Raw]) -> tuple[int, list[Json]]:
    """How many messages there are, and the parts of the last one in which the user says something."""
    for element in reversed(elements):
        try:
            message = obj(decode(element))
        except msgspec.DecodeError:
            continue
        parts = _parts(message)
        if message.get("role") == "user" and (next(_words(parts), None) or _count(parts, _IMAGES | _DOCUMENTS)):
            return len(elements), parts
    return len(elements), []


def _parts(message: Json) -> list[Json]:
    content = message.get("content")
    return [{"type": "text", "text": content}] if isinstance(content, str) else items(content)


def _words(parts: list[Json]) -> Iterator[str]:
    for part in parts:
        said = text(part.get("text")) if part.get("type") in _TEXTS else None
        if said is not None and not said.lstrip().startswith(_REMINDERS):
            yield said


def _count(parts: list[Json], kinds: frozenset[str]) -> int:
    return sum(part.get("type") in kinds for part in parts)


def _system(raw: bytes) -> str:
    try:
        said = decode(raw)
    except msgspec.DecodeError:
        return ""
    texts = [said] if isinstance(said, str) else [text(part.get("text")) or "" for part in items(said)]
    return next((each for each in texts if each and not each.startswith(_BILLING)), "")[:_SYSTEM_CHARS]


def _instructions(elements: list[msgspec.Raw], said: str | None) -> str:
    if said is None and elements:
        try:
            first = obj(decode(elements[0]))
        except msgspec.DecodeError:
            return ""
        if first.get("role") in _INSTRUCTIONS:
            said = next(_words(_parts(first)), None)
    return (said or "")[:_SYSTEM_CHARS]


def _is_structured(raw: bytes) -> bool:
    """Whether a Messages request asks for JSON (`output_config.format`, earlier `output_format`)."""
    if b'"format"' not in raw and b'"output_format"' not in raw:
        return False
    try:
        body = _decode_output(raw)
        config = obj(decode(body.get("output_config", _NOTHING)))
        return bool(obj(config.get("format")) or obj(decode(body.get("output_format", _NOTHING))))
    except (msgspec.DecodeError, RecursionError):
        return False
