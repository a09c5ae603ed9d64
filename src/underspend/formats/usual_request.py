"""A Messages request of the form that nearly all have, read in one pass and in half the time of any other.

Only for what can be told apart beyond doubt: compact JSON, fields that are known here, blocks of text, tools and
thinking. Texts are taken over as they stand. The answer is the same as that of the way for all requests, in
`reply_key`; a test holds the two together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(float_hook=lambda digits: Raw(digits.encode())).decode
_odd_escape = re.compile(rb"\\[u/]").search
"""Finds escapes that may stand for a letter that needs none."""

_MARKS = frozenset({b'{"type":"ephemeral"}', b'{"type":"ephemeral","ttl":"5m"}', b'{"type":"ephemeral","ttl":"1h"}'})
_MARK = len(b',"cache_control":')
_TEXT, _END = b'[{"type":"text","text":', b"}]"
_QUOTE = ord('"')
_Piece: TypeAlias = Raw | UnsetType


class _Text(Struct, tag_field="type", tag="text", forbid_unknown_fields=True, kw_only=True, gc=False):
    cache_control: _Piece = UNSET
    text: Raw


class _Thinking(Struct, tag_field="type", tag="thinking", forbid_unknown_fields=True, kw_only=True, gc=False):
    cache_control: _Piece = UNSET
    signature: str
    thinking: Raw


class _Use(Struct, tag_field="type", tag="tool_use", forbid_unknown_fields=True, kw_only=True, gc=False):
    cache_control: _Piece = UNSET
    id: str
    input: Raw
    name: str


class _Result(Struct, tag_field="type", tag="tool_result", forbid_unknown_fields=True, kw_only=True, gc=False):
    cache_control: _Piece = UNSET
    content: _Piece = UNSET
    is_error: bool | UnsetType = UNSET
    tool_use_id: str


_Block: TypeAlias = _Text | _Use | _Result | _Thinking


class _Message(Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    content: str | list[_Block]
    role: str


class _Request(Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    messages: list[_Message]
    system: _Piece = UNSET
    cache_control: _Piece = UNSET
    container: _Piece = UNSET
    context_management: _Piece = UNSET
    max_tokens: _Piece = UNSET
    mcp_servers: _Piece = UNSET
    metadata: _Piece = UNSET
    model: _Piece = UNSET
    output_config: _Piece = UNSET
    service_tier: _Piece = UNSET
    speed: _Piece = UNSET
    stop_sequences: _Piece = UNSET
    stream: _Piece = UNSET
    temperature: _Piece = UNSET
    thinking: _Piece = UNSET
    tool_choice: _Piece = UNSET
    tools: _Piece = UNSET
    top_k: _Piece = UNSET
    top_p: _Piece = UNSET


_read = msgspec.json.Decoder(_Request).decode
_read_texts = msgspec.json.Decoder(list[_Text]).decode
_OTHERS = tuple(name for name in _Request.__struct_fields__ if name not in {"messages", "system"})


class _UnusualError(Exception):
    """The request is of another form after all."""


@dataclass(slots=True)
class _Evening:
    """Brings blocks to their canonical form.

    `longer` is how many bytes longer that is than what came, `opaque` what stands in it as it came, not yet checked.
    """

    longer: int = 0
    opaque: list[bytes] = field(default_factory=list)

    def block(self, block: _Block) -> None:
        """Take a plain breakpoint off, and make a list of a lone text."""
        mark = block.cache_control
        if mark is not UNSET:
            if bytes(mark) not in _MARKS:
                raise _UnusualError
            block.cache_control = UNSET
            self.longer -= _MARK + len(bytes(mark))
        if isinstance(block, _Text):
            _be_text(block.text)
        elif isinstance(block, _Thinking):
            _be_text(block.thinking)
        elif isinstance(block, _Use):
            self.opaque.append(bytes(block.input))
        elif block.content is not UNSET:
            block.content = self.texts(block.content)

    def texts(self, piece: Raw) -> Raw:
        """A text, or a list of texts."""
        raw = bytes(piece)
        if raw[:1] == b'"':
            self.longer += len(_TEXT) + len(_END)
            return Raw(_TEXT + raw + _END)
        blocks = _read_texts(raw)
        before = self.longer
        for block in blocks:
            self.block(block)
        made = _encode(blocks)
        if len(made) - (self.longer - before) != len(raw):
            raise _UnusualError
        return Raw(made)

    def message(self, message: _Message) -> None:
        """The same for all that a message holds."""
        content = message.content
        if isinstance(content, str):
            message.content = [_Text(text=Raw(_encode(content)))]
            self.longer += len(_TEXT) + len(_END)
            return
        for block in content:
            self.block(block)


def usual(raw: bytes) -> dict[str, Any] | None:
    """The request, its `messages` and `system` as canonical JSON; None for one that is to be read in the other way.

    That is one with a single message too: it may be a question, whose text is then wanted.
    """
    if _odd_escape(raw) is not None:
        return None
    try:
        request = _read(raw)
        if len(request.messages) == 1:
            return None
        return _evened(request, len(raw))
    except (msgspec.DecodeError, RecursionError, _UnusualError):
        return None


def _evened(request: _Request, length: int) -> dict[str, Any]:
    evening, body, size = _Evening(), dict[str, Any](), 1  # the first brace; the last stands where another comma would
    for name in _OTHERS:
        value = getattr(request, name)
        if value is not UNSET:
            piece = bytes(value)
            size += len(name) + 4 + len(piece)
            evening.opaque.append(piece)
            body[name] = None
    fields = tuple(body)
    if request.system is not UNSET:
        body["system"] = made = evening.texts(request.system)
        size += len("system") + 4 + len(bytes(made))
    for message in request.messages:
        evening.message(message)
    messages = _encode(request.messages)
    body["messages"] = Raw(messages)
    size += len("messages") + 4 + len(messages)
    # White space, and a key that stands twice, make what came longer than what was read of it.
    if size - evening.longer != length:
        raise _UnusualError
    body.update(zip(fields, _checked(evening.opaque), strict=False))
    return body


def _be_text(piece: Raw) -> None:
    if memoryview(piece)[0] != _QUOTE:
        raise _UnusualError


def _checked(pieces: list[bytes]) -> list[Any]:
    """The values of pieces that hold neither white space nor a key twice."""
    joined = b"[" + b",".join(pieces) + b"]"
    values: list[Any] = _decode(joined)
    if _encode(values) != joined:
        raise _UnusualError
    return values
