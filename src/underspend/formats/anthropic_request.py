"""An Anthropic Messages request: what is read from it, and how an edit is spliced into its bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from underspend.formats.lenient import Json, count, decode, obj, text

_EMPTY = msgspec.Raw(b"null")


class _Body(msgspec.Struct):
    model: msgspec.Raw = _EMPTY
    stream: msgspec.Raw = _EMPTY
    max_tokens: msgspec.Raw = _EMPTY
    metadata: msgspec.Raw = _EMPTY
    output_config: msgspec.Raw = _EMPTY
    speed: msgspec.Raw = _EMPTY
    thinking: msgspec.Raw = _EMPTY
    cache_control: msgspec.Raw = _EMPTY
    stop_sequences: msgspec.Raw = _EMPTY
    tools: msgspec.Raw = _EMPTY
    system: msgspec.Raw = _EMPTY
    messages: msgspec.Raw = _EMPTY


_decode_body = msgspec.json.Decoder(_Body).decode


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """A request body, read only as deep as the hot path needs. `raw` is what the client sent, untouched.

    `automatic` is the lifetime of the breakpoint that the request leaves the provider to place, None without one.
    """

    raw: bytes
    model: str
    stream: bool | None
    max_tokens: int
    effort: str | None
    speed: str | None
    thinking_budget: int
    automatic: str | None
    user_id: str | None
    stop_sequences: tuple[str, ...]
    tools: bytes
    system: bytes
    messages: bytes


def read(raw: bytes) -> MessagesRequest | None:
    """The request, or None when the bytes are no JSON object (upstream will say so in its own words)."""
    try:
        return _read(raw, _decode_body(raw))
    except (msgspec.DecodeError, RecursionError):
        return None


def _read(raw: bytes, body: _Body) -> MessagesRequest:
    stops = decode(body.stop_sequences)
    stream = decode(body.stream)
    control = obj(decode(body.cache_control))
    return MessagesRequest(
        raw=raw,
        model=text(decode(body.model)) or "",
        stream=stream if isinstance(stream, bool) else None,
        max_tokens=count(decode(body.max_tokens)),
        effort=text(obj(decode(body.output_config)).get("effort")),
        speed=text(decode(body.speed)),
        thinking_budget=count(obj(decode(body.thinking)).get("budget_tokens")),
        automatic=(text(control.get("ttl")) or "5m") if control else None,
        user_id=text(obj(decode(body.metadata)).get("user_id")),
        stop_sequences=tuple(map(str, stops)) if isinstance(stops, list) else (),
        tools=bytes(body.tools),
        system=bytes(body.system),
        messages=bytes(body.messages),
    )


def with_model(raw: bytes, model: str) -> bytes:
    """The same bytes with another value of the top-level `model`; every other byte stays.

    Raises ValueError when the key cannot be located beyond doubt.
    """
    start, end = _span(raw, "model")
    return b"".join((raw[:start], msgspec.json.encode(model), raw[end:]))


_KEY = re.compile(rb'[\s,{]*("(?:[^"\\]|\\.)*")\s*:\s*')
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _span(raw: bytes, wanted: str) -> tuple[int, int]:
    """Where the value of a top-level key stands.

    The decoder gives each member's exact bytes, so nested keys of the same name are stepped over, not searched. It
    keeps the last of equal keys: then a step does not fit, or something is left at the end.
    """
    at, found = 0, None
    try:
        members = _decode_members(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"the body is no JSON object: {error}") from error
    for name, member in members.items():
        key, value = _KEY.match(raw, at), bytes(member)
        if key is None or decode(key.group(1)) != name or not raw.startswith(value, key.end()):
            raise ValueError("a top-level key occurs twice")
        at = key.end() + len(value)
        if name == wanted:
            found = key.end(), at
    if raw[at:].strip() != b"}":
        raise ValueError("a top-level key occurs twice")
    if found is None:
        raise ValueError(f"no top-level {wanted}")
    return found


def parse_user_id(user_id: str | None) -> Json:
    """Claude Code's `metadata.user_id`: a JSON object in a string since 2.1, `user_…_account_…_session_…` before."""
    if not user_id:
        return {}
    if user_id.startswith("{"):
        try:
            return obj(decode(user_id.encode()))
        except msgspec.DecodeError:
            return {}
    _, found, session = user_id.rpartition("_session_")
    return {"session_id": session} if found and session else {}
