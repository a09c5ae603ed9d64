"""The parts of a transcript's lines that are read. Everything else on a line is passed over undecoded.

A line that has these parts in other types (a null is no other type) is decoded as a whole and fitted to them: what does
not fit is absent, and the rest is kept.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from underspend.formats.lenient import Json, count, decode, obj

NOTHING = msgspec.Raw(b"")


class Split(msgspec.Struct, gc=False):
    """Cache writes by lifetime."""

    five_minutes: int | None = msgspec.field(name="ephemeral_5m_input_tokens", default=None)
    one_hour: int | None = msgspec.field(name="ephemeral_1h_input_tokens", default=None)


class ServerTools(msgspec.Struct, gc=False):
    """Uses of the provider's own tools that are billed by the piece."""

    searches: int | None = msgspec.field(name="web_search_requests", default=None)


class OutputDetails(msgspec.Struct, gc=False):
    """What the output consists of."""

    thinking: int | None = msgspec.field(name="thinking_tokens", default=None)


class Tokens(msgspec.Struct, gc=False):
    """The `usage` of a line."""

    input: int | None = msgspec.field(name="input_tokens", default=None)
    output: int | None = msgspec.field(name="output_tokens", default=None)
    written: int | None = msgspec.field(name="cache_creation_input_tokens", default=None)
    read: int | None = msgspec.field(name="cache_read_input_tokens", default=None)
    split: Split | None = msgspec.field(name="cache_creation", default=None)
    server_tools: ServerTools | None = msgspec.field(name="server_tool_use", default=None)
    details: OutputDetails | None = msgspec.field(name="output_tokens_details", default=None)
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: msgspec.Raw = NOTHING
    fallback_credit: msgspec.Raw = NOTHING


class Inner(msgspec.Struct, gc=False):
    """One block inside a tool's result."""

    type: str | None = None
    text: str | None = None
    source: msgspec.Raw = NOTHING


class Piece(msgspec.Struct, gc=False):
    """One content block of a message."""

    type: str | None = None
    id: str | None = None
    name: str | None = None
    tool_use_id: str | None = None
    is_error: bool | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    input: msgspec.Raw = NOTHING
    content: str | list[Inner] | None = None


class Message(msgspec.Struct, gc=False):
    """The API's message inside an entry."""

    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    content: str | list[Piece] | None = None
    usage: Tokens | None = None
    diagnostics: msgspec.Raw = NOTHING


class Progress(msgspec.Struct, gc=False):
    """What a `progress` entry carries."""

    type: str | None = None
    agent: str | None = msgspec.field(name="agentId", default=None)
    hook: str | None = msgspec.field(name="hookName", default=None)
    message: Line | None = None


class Line(msgspec.Struct, gc=False):
    """One entry of a transcript."""

    type: str | None = None
    subtype: str | None = None
    uuid: str | None = None
    parent: str | None = msgspec.field(name="parentUuid", default=None)
    timestamp: str | None = None
    session: str | None = msgspec.field(name="sessionId", default=None)
    directory: str | None = msgspec.field(name="cwd", default=None)
    version: str | None = None
    entrypoint: str | None = None
    agent: str | None = msgspec.field(name="agentId", default=None)
    sidechain: bool | None = msgspec.field(name="isSidechain", default=None)
    meta: bool | None = msgspec.field(name="isMeta", default=None)
    summary: bool | None = msgspec.field(name="isCompactSummary", default=None)
    turn: str | None = msgspec.field(name="promptId", default=None)
    prompt_source: str | None = msgspec.field(name="promptSource", default=None)
    permission_mode: str | None = msgspec.field(name="permissionMode", default=None)
    request: str | None = msgspec.field(name="requestId", default=None)
    request_session: str | None = msgspec.field(name="requestSessionId", default=None)
    asked_model: str | None = msgspec.field(name="requestedModel", default=None)
    effort: str | None = None
    skill: str | None = msgspec.field(name="attributionSkill", default=None)
    agent_type: str | None = msgspec.field(name="attributionAgent", default=None)
    is_error: bool | None = msgspec.field(name="isApiErrorMessage", default=None)
    parent_use: str | None = msgspec.field(name="parentToolUseID", default=None)
    message: Message | None = None
    data: Progress | None = None
    origin: msgspec.Raw = NOTHING
    forked_from: msgspec.Raw = msgspec.field(name="forkedFrom", default=NOTHING)
    attachment: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    compaction: msgspec.Raw = msgspec.field(name="compactMetadata", default=NOTHING)
    microcompaction: msgspec.Raw = msgspec.field(name="microcompactMetadata", default=NOTHING)
    total_usd: msgspec.Raw = msgspec.field(name="totalCostUSD", default=NOTHING)
    model_usage: msgspec.Raw = msgspec.field(name="modelUsage", default=NOTHING)


class ToolInput(msgspec.Struct, gc=False):
    """The fields of a tool's input that say what it is used on."""

    file_path: str | None = None
    notebook_path: str | None = None
    path: str | None = None
    command: str | None = None
    pattern: str | None = None
    query: str | None = None
    url: str | None = None
    skill: str | None = None
    subagent_type: str | None = None
    prompt: str | None = None
    offset: int | None = None
    limit: int | None = None


class _Other:
    """A value of a type that does not fit."""


_OTHER = _Other()
FAILED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
decode_line = msgspec.json.Decoder(Line).decode
_decode_input = msgspec.json.Decoder(ToolInput).decode


def line_of(raw: bytes | msgspec.Raw) -> Line:
    """The entry in some bytes. Raises msgspec.DecodeError where they hold no JSON object."""
    try:
        return decode_line(raw)
    except FAILED:
        pass
    value = _value(bytes(raw))
    if not isinstance(value, dict):
        raise msgspec.DecodeError("no object")
    return decode_line(_encoded(_fitted(value, Line)))


def input_of(raw: msgspec.Raw) -> ToolInput:
    """What a tool is used on; nothing where the input is no object."""
    if not raw:
        return ToolInput()
    try:
        return _decode_input(raw)
    except FAILED:
        return _decode_input(_encoded(_fitted(object_in(raw), ToolInput)))


def loads(raw: msgspec.Raw) -> Any:
    """Any JSON value as plain Python, None where it cannot be read."""
    if not raw:
        return None
    try:
        return _value(bytes(raw))
    except msgspec.DecodeError:
        return None


def object_in(raw: msgspec.Raw) -> Json:
    """The object in some bytes, an empty one where there is none."""
    return obj(loads(raw))


def mended(text: str) -> bytes:
    """Some JSON as UTF-8, with lone surrogates replaced and what is no number left out."""
    try:
        return _encoded(json.loads(text, parse_constant=lambda _: None))
    except (ValueError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _value(data: bytes) -> Any:
    try:
        return decode(data)
    except msgspec.DecodeError:
        return decode(mended(data.decode("utf-8", "replace")))


def _fitted(value: Json, shape: type[msgspec.Struct]) -> Json:
    """The fields of an object that are of the types that a shape has."""
    found = {}
    for field in msgspec.structs.fields(shape):
        part = _fitting(value.get(field.encode_name, _OTHER), field.type)
        if part is not _OTHER:
            found[field.encode_name] = part
    return found


def _fitting(value: object, kind: Any) -> object:
    if kind is msgspec.Raw or value is _OTHER or value is None:
        return value
    names = getattr(kind, "__args__", ())
    if isinstance(value, bool):
        return value if bool in names else _OTHER
    if isinstance(value, (int, float)):
        return count(value) if int in names else _OTHER
    if isinstance(value, str):
        return value if str in names else _OTHER
    if isinstance(value, list):
        lists = [name.__args__[0] for name in names if getattr(name, "__origin__", None) is list]
        return _fitted_list(value, lists[0]) if lists else _OTHER
    shapes = [name for name in names if isinstance(name, type) and issubclass(name, msgspec.Struct)]
    return _fitted(obj(value), shapes[0]) if shapes else _OTHER


def _fitted_list(value: list[object], shape: type[msgspec.Struct]) -> list[Json]:
    return [_fitted(item, shape) for item in value if isinstance(item, dict)]
