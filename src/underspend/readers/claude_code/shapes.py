"""The parts of a transcript's lines that are read. Everything else on a line is passed over undecoded.

Fields take whatever stands there (`Any`, or the raw bytes), so that a null or a wrong type costs that field alone.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from underspend.formats.lenient import Json, decode, obj

NOTHING = msgspec.Raw(b"")


class Line(msgspec.Struct):
    """One entry of a transcript."""

    type: Any = None
    subtype: Any = None
    uuid: Any = None
    parent: Any = msgspec.field(name="parentUuid", default=None)
    timestamp: Any = None
    session: Any = msgspec.field(name="sessionId", default=None)
    directory: Any = msgspec.field(name="cwd", default=None)
    version: Any = None
    entrypoint: Any = None
    agent: Any = msgspec.field(name="agentId", default=None)
    sidechain: Any = msgspec.field(name="isSidechain", default=None)
    meta: Any = msgspec.field(name="isMeta", default=None)
    summary: Any = msgspec.field(name="isCompactSummary", default=None)
    turn: Any = msgspec.field(name="promptId", default=None)
    prompt_source: Any = msgspec.field(name="promptSource", default=None)
    permission_mode: Any = msgspec.field(name="permissionMode", default=None)
    request: Any = msgspec.field(name="requestId", default=None)
    request_session: Any = msgspec.field(name="requestSessionId", default=None)
    asked_model: Any = msgspec.field(name="requestedModel", default=None)
    effort: Any = None
    skill: Any = msgspec.field(name="attributionSkill", default=None)
    agent_type: Any = msgspec.field(name="attributionAgent", default=None)
    is_error: Any = msgspec.field(name="isApiErrorMessage", default=None)
    parent_use: Any = msgspec.field(name="parentToolUseID", default=None)
    origin: msgspec.Raw = NOTHING
    forked_from: msgspec.Raw = msgspec.field(name="forkedFrom", default=NOTHING)
    message: msgspec.Raw = NOTHING
    data: msgspec.Raw = NOTHING
    attachment: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    compaction: msgspec.Raw = msgspec.field(name="compactMetadata", default=NOTHING)
    microcompaction: msgspec.Raw = msgspec.field(name="microcompactMetadata", default=NOTHING)
    total_usd: msgspec.Raw = msgspec.field(name="totalCostUSD", default=NOTHING)
    model_usage: msgspec.Raw = msgspec.field(name="modelUsage", default=NOTHING)


class Message(msgspec.Struct):
    """The API's message inside an entry."""

    id: Any = None
    model: Any = None
    stop_reason: Any = None
    content: msgspec.Raw = NOTHING
    usage: msgspec.Raw = NOTHING
    diagnostics: msgspec.Raw = NOTHING


class Piece(msgspec.Struct):
    """One content block of a message."""

    type: Any = None
    id: Any = None
    name: Any = None
    tool_use_id: Any = None
    is_error: Any = None
    text: msgspec.Raw = NOTHING
    thinking: msgspec.Raw = NOTHING
    signature: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING
    content: msgspec.Raw = NOTHING


class ToolInput(msgspec.Struct):
    """The fields of a tool's input that say what it is used on."""

    file_path: Any = None
    notebook_path: Any = None
    path: Any = None
    command: Any = None
    pattern: Any = None
    query: Any = None
    url: Any = None
    skill: Any = None
    subagent_type: Any = None
    offset: Any = None
    limit: Any = None
    prompt: msgspec.Raw = NOTHING


class Progress(msgspec.Struct):
    """What a `progress` entry carries."""

    type: Any = None
    agent: Any = msgspec.field(name="agentId", default=None)
    hook: Any = msgspec.field(name="hookName", default=None)
    message: msgspec.Raw = NOTHING


_T = TypeVar("_T")

_line = msgspec.json.Decoder(Line)
_message = msgspec.json.Decoder(Message)
_pieces = msgspec.json.Decoder(list[Piece])
_input = msgspec.json.Decoder(ToolInput)
_progress = msgspec.json.Decoder(Progress)


def line_of(raw: bytes) -> Line:
    """The entry in some bytes. Raises msgspec.DecodeError where they hold no JSON object."""
    try:
        return _line.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _line.decode(mended(raw))


def message_of(raw: msgspec.Raw) -> Message:
    """The message; an empty one where there is none."""
    return _leniently(_message, raw) or Message()


def progress_of(raw: msgspec.Raw) -> Progress:
    """What a progress entry carries; an empty one where there is nothing."""
    return _leniently(_progress, raw) or Progress()


def pieces_of(raw: msgspec.Raw) -> list[Piece]:
    """The content blocks that are objects, whatever stands between them."""
    found = _leniently(_pieces, raw)
    if found is not None:
        return found
    whole = loads(raw)
    objects = [item for item in whole if isinstance(item, dict)] if isinstance(whole, list) else []
    return _pieces.decode(msgspec.json.encode(objects)) if objects else []


def input_of(raw: msgspec.Raw) -> ToolInput:
    """What a tool is used on; nothing where the input is no object."""
    return _leniently(_input, raw) or ToolInput()


def loads(raw: msgspec.Raw | bytes) -> Any:
    """Any JSON value as plain Python, None where it cannot be read."""
    data = bytes(raw)
    if not data:
        return None
    try:
        return decode(data)
    except msgspec.DecodeError:
        pass
    try:
        return decode(mended(data))
    except msgspec.DecodeError:
        return None


def object_in(raw: msgspec.Raw | bytes) -> Json:
    """The object in some bytes, an empty one where there is none."""
    return obj(loads(raw))


def string_in(raw: msgspec.Raw | bytes) -> str:
    """The string in some bytes, an empty one where there is none."""
    value = loads(raw)
    return value if isinstance(value, str) else ""


def mended(raw: bytes) -> bytes:
    """The same JSON with what is no UTF-8 (stray bytes, lone surrogates) replaced. Raises msgspec.DecodeError."""
    try:
        value = json.loads(raw.decode("utf-8", "replace"), parse_constant=lambda _: None)
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    except (ValueError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error


def _leniently(decoder: msgspec.json.Decoder[_T], raw: msgspec.Raw) -> _T | None:
    if not raw:
        return None
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return decoder.decode(mended(bytes(raw)))
    except msgspec.DecodeError:
        return None
