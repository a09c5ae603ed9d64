"""Newer clients keep each request as they sent it, in pieces by hash: here they are put together again.

An `api-request-shape` holds system and tools, an `api-request-blob` a message that the conversation's entries do not
give, an `api-request` the parameters, the list of messages (as a prefix of an earlier request's and a tail) and where
the cache breakpoints stood. The reply's entries name the request that they answer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from underspend.formats.lenient import Json, count, items, obj, text
from underspend.readers.claude_code.extract import moment
from underspend.readers.claude_code.messages import Conversation
from underspend.readers.claude_code.shapes import loads, object_in


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """One request as it was sent. Its body shares parts with others': it is to be read, not changed.

    `message_id` and `request_id` are those of the reply, None where the transcript has none (a compaction, an attempt
    that failed). `breakpoints` are the paths of the body's objects that carried a `cache_control`, which they do again.
    `exact` is False where a message was found by its place in the conversation, because its hash fits none.
    """

    id: str
    at: int
    session: str
    agent: str | None
    purpose: str | None
    body: Json
    betas: tuple[str, ...]
    breakpoints: tuple[tuple[str | int, ...], ...]
    message_id: str | None = None
    request_id: str | None = None
    exact: bool = True


class _Entry(msgspec.Struct):
    type: Any = None
    id: Any = None
    timestamp: Any = None
    session: Any = msgspec.field(name="sessionId", default=None)
    agent: Any = msgspec.field(name="agentId", default=None)
    purpose: Any = msgspec.field(name="querySource", default=None)
    shape_hash: Any = msgspec.field(name="shapeHash", default=None)
    hash: Any = None
    base: Any = None
    keep: Any = None
    tail: Any = None
    reference: Any = msgspec.field(name="requestRef", default=None)
    request: Any = msgspec.field(name="requestId", default=None)
    params: msgspec.Raw = msgspec.Raw(b"")
    shape: msgspec.Raw = msgspec.Raw(b"")
    message: msgspec.Raw = msgspec.Raw(b"")
    cache_control: msgspec.Raw = msgspec.field(name="cacheControl", default=msgspec.Raw(b""))


class _Message(msgspec.Struct):
    id: Any = None
    content: msgspec.Raw = msgspec.Raw(b"")


_decode = msgspec.json.Decoder(_Entry).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_FAILED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(slots=True)
class _Sent:
    """A request as noted, with the hashes of all its messages and where the conversation was at that time."""

    entry: _Entry
    hashes: list[str]
    said: int


@dataclass(slots=True)
class _Kept:
    """The pieces found in one transcript. `guessed` are the messages known only by their place.

    `places` says where in the conversation the messages stand.
    """

    shapes: dict[str, Json] = field(default_factory=dict)
    messages: dict[str, Json] = field(default_factory=dict)
    guessed: set[str] = field(default_factory=set)
    sent: dict[str, _Sent] = field(default_factory=dict)
    answers: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    conversation: Conversation = field(default_factory=Conversation)
    places: dict[str, int] = field(default_factory=dict)


def wire_requests(path: Path) -> Iterator[WireRequest]:
    """The requests of one transcript in the order they were sent, those that can be rebuilt whole."""
    kept = _Kept()
    with path.open("rb", buffering=1 << 20) as stream:
        for raw in stream:
            with contextlib.suppress(*_FAILED):
                _take(kept, _decode(raw))
    for sent in kept.sent.values():
        _resolve(kept, sent)
        rebuilt = _rebuilt(kept, sent)
        if rebuilt is not None:
            yield rebuilt


def _take(kept: _Kept, entry: _Entry) -> None:
    match entry.type:
        case "api-request-shape" if isinstance(entry.shape_hash, str):
            kept.shapes[entry.shape_hash] = object_in(entry.shape)
        case "api-request-blob" if isinstance(entry.hash, str):
            kept.messages[entry.hash] = object_in(entry.message)
        case "api-request" if isinstance(entry.id, str):
            hashes = _listed(kept, entry)
            if hashes is not None:
                kept.sent[entry.id] = _Sent(entry, hashes, len(kept.conversation.said))
        case "assistant" | "user":
            _said(kept, entry)


def _said(kept: _Kept, entry: _Entry) -> None:
    message = _decode_message(entry.message)
    name = text(message.id)
    if isinstance(entry.reference, str):
        kept.answers.setdefault(entry.reference, (name, text(entry.request)))
    kept.conversation.take(entry.type, name, loads(message.content))


def _listed(kept: _Kept, entry: _Entry) -> list[str] | None:
    """The hashes of all messages of a request; None where the request that it builds on is missing."""
    tail = [item for item in entry.tail if isinstance(item, str)] if isinstance(entry.tail, list) else []
    keep = count(entry.keep)
    if not keep:
        return tail
    before = kept.sent.get(entry.base) if isinstance(entry.base, str) else None
    return None if before is None or len(before.hashes) < keep else before.hashes[:keep] + tail


def _resolve(kept: _Kept, sent: _Sent) -> None:
    """Find the messages of a request that the conversation's entries give: by hash, else by their place."""
    for name in sent.hashes:
        if name not in kept.messages:
            found = kept.conversation.find(name, set(kept.places.values()), sent.said)
            if found is not None:
                kept.places[name], kept.messages[name] = found
    said = kept.conversation.said[: sent.said]
    following = 0
    for name in sent.hashes:
        if name in kept.places:
            following = kept.places[name] + 1
            continue
        if following >= len(said):
            return
        if name not in kept.messages:
            kept.messages[name] = next(said[following].forms())
            kept.guessed.add(name)
        elif kept.messages[name].get("role") != said[following].role:
            continue  # a reminder of the client's, which has no entry
        kept.places[name] = following
        following += 1


def _rebuilt(kept: _Kept, sent: _Sent) -> WireRequest | None:
    entry, hashes = sent.entry, sent.hashes
    shape = kept.shapes.get(entry.shape_hash) if isinstance(entry.shape_hash, str) else None
    if shape is None or any(name not in kept.messages for name in hashes):
        return None
    params = object_in(entry.params)
    betas = params.pop("betas", None)
    body: Json = {
        "model": params.pop("model", None),
        "messages": [kept.messages[name] for name in hashes],
        **shape,
        **params,
    }
    message_id, request_id = kept.answers.get(entry.id, (None, None))
    return WireRequest(
        id=entry.id,
        at=moment(text(entry.timestamp) or ""),
        session=text(entry.session) or "",
        agent=text(entry.agent),
        purpose=text(entry.purpose),
        body=body,
        betas=tuple(beta for beta in betas if isinstance(beta, str)) if isinstance(betas, list) else (),
        breakpoints=_marked(body, items(loads(entry.cache_control))),
        message_id=message_id,
        request_id=request_id,
        exact=kept.guessed.isdisjoint(hashes),
    )


def _marked(body: Json, controls: list[Json]) -> tuple[tuple[str | int, ...], ...]:
    """Put the breakpoints back; gives the paths of those whose place exists."""
    paths = []
    for control in controls:
        path = control.get("path")
        if not isinstance(path, list) or not path:
            continue
        marked = _with(body, path, obj(control.get("value")))
        if marked is not None:
            body.update(marked)
            paths.append(tuple(path))
    return tuple(paths)


def _with(value: Any, path: list[Any], control: Json) -> Any:
    """A copy of a value with a breakpoint at a path, the rest shared; None where there is no such place."""
    if not path:
        return {**value, "cache_control": control} if isinstance(value, dict) else None
    step, rest = path[0], path[1:]
    if isinstance(value, str) and step == 0:
        # A message that is one text is kept as a string and carries a breakpoint only as a list.
        value = [{"type": "text", "text": value}]
    if isinstance(value, dict) and isinstance(step, str) and step in value:
        inner = _with(value[step], rest, control)
        return None if inner is None else {**value, step: inner}
    if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        inner = _with(value[step], rest, control)
        return None if inner is None else [*value[:step], inner, *value[step + 1 :]]
    return None
