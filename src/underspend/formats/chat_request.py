"""OpenAI-style requests (Chat Completions, Responses, Embeddings), read no deeper than the way to a provider needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from underspend.formats.json_slices import Patch, Slice, members, patched, trimmed
from underspend.formats.lenient import count, decode, obj, text

_EMPTY = msgspec.Raw(b"null")
_OPTIONS = "stream_options"


class _Body(msgspec.Struct):
    model: msgspec.Raw = _EMPTY
    stream: msgspec.Raw = _EMPTY
    max_tokens: msgspec.Raw = _EMPTY
    max_completion_tokens: msgspec.Raw = _EMPTY
    max_output_tokens: msgspec.Raw = _EMPTY
    reasoning_effort: msgspec.Raw = _EMPTY
    reasoning: msgspec.Raw = _EMPTY
    stream_options: msgspec.Raw = _EMPTY
    user: msgspec.Raw = _EMPTY
    safety_identifier: msgspec.Raw = _EMPTY


_decode_body = msgspec.json.Decoder(_Body).decode


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a request says of itself. `max_output` is 0 where it sets no limit.

    `wants_usage` is whether the client asked for the usage of its stream, `user` whom it says it asks for.
    """

    raw: bytes
    model: str
    stream: bool
    max_output: int
    effort: str | None
    wants_usage: bool
    user: str | None = None


def read(raw: bytes) -> ChatRequest | None:
    """The request, or None when the bytes are no JSON object."""
    try:
        body = _decode_body(raw)
        limits = (body.max_completion_tokens, body.max_output_tokens, body.max_tokens)
        return ChatRequest(
            raw=raw,
            model=text(decode(body.model)) or "",
            stream=decode(body.stream) is True,
            max_output=max(count(decode(limit)) for limit in limits),
            effort=text(decode(body.reasoning_effort)) or text(obj(decode(body.reasoning)).get("effort")),
            wants_usage=obj(decode(body.stream_options)).get("include_usage") is True,
            user=text(decode(body.safety_identifier)) or text(decode(body.user)) or None,
        )
    except (msgspec.DecodeError, RecursionError):
        return None


def with_stream_usage(raw: bytes) -> bytes:
    """The same request, which also asks for the usage of its stream; every other byte stays.

    Raises ValueError when the body is no object, or has a key twice.
    """
    whole = trimmed(raw)
    found = members(raw, whole)
    if _OPTIONS in found:
        at = found[_OPTIONS]
        said = obj(decode(raw[at.start : at.end]))
        return patched(raw, [Patch(at, msgspec.json.encode({**said, "include_usage": True}))])
    gap = b"" if not found else b","
    return patched(
        raw, [Patch(Slice(whole.start + 1, whole.start + 1), b'"stream_options":{"include_usage":true}' + gap)]
    )


def without(raw: bytes, names: frozenset[str]) -> bytes:
    """The same request without some of its members. Raises ValueError as above."""
    whole = trimmed(raw)
    found = members(raw, whole)
    if not names & found.keys():
        return raw
    kept: Mapping[str, Slice] = {name: at for name, at in found.items() if name not in names}
    return b"{%b}" % b",".join(msgspec.json.encode(name) + b":" + raw[at.start : at.end] for name, at in kept.items())
