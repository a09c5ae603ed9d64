"""A recorded answer, replayed byte for byte, and the little reading its bill needs."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from underspend.testing.fake_upstream.bill import Counts, Terms, Unit
from underspend.testing.fake_upstream.faults import Delivery
from underspend.testing.fake_upstream.pieces import Piece

SSE_TYPE = "text/event-stream; charset=utf-8"
BY_HOP = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


class Recorded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="recorded", forbid_unknown_fields=True):
    """An answer to send as it is: status, header list, body bytes (base64 in JSON), and the write sizes.

    Hop-by-hop headers are left out, they belong to the old connection. Without `chunk_sizes` the body is one
    write; bytes left over after the last size are one more. The prompt cache is not touched.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    body: bytes = b""
    chunk_sizes: tuple[int, ...] = ()
    delivery: Delivery = Delivery()

    def kept_headers(self) -> list[tuple[str, str]]:
        """The end-to-end headers, in order."""
        return [(name, value) for name, value in self.headers if name.lower() not in BY_HOP]

    def pieces(self) -> list[Piece]:
        """The body cut at the recorded sizes."""
        found, at = [], 0
        for size in self.chunk_sizes:
            found.append(self.body[at : at + size])
            at += size
        found.append(self.body[at:])
        return [Piece(data) for data in found if data]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a recorded body says about its bill."""

    message_id: str
    model: str
    usage: dict[str, Any]
    units: list[Unit]
    terms: Terms


def from_sse(body: bytes | str, *, chunk_sizes: Iterable[int] = ()) -> Recorded:
    """A recorded event stream, as it came over the wire."""
    raw = body.encode() if isinstance(body, str) else body
    return Recorded(headers=(("content-type", SSE_TYPE),), body=raw, chunk_sizes=tuple(chunk_sizes))


def from_payloads(lines: Iterable[str]) -> Recorded:
    """A stream kept as one JSON payload per line: each becomes an event named after its `type`."""
    parts = [line.strip().encode() for line in lines if line.strip()]
    events = [b"event: %b\ndata: %b\n\n" % (_kind(part), part) for part in parts]
    return from_sse(b"".join(events), chunk_sizes=[len(event) for event in events])


def read(recorded: Recorded) -> Reading | None:
    """The usage and bill that a recorded message carries, or None when it is no message."""
    body = recorded.body
    if any(n.lower() == "content-encoding" and v.lower() == "gzip" for n, v in recorded.headers):
        body = gzip.decompress(body)
    try:
        message = _merged(body) if b"message_start" in body else msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    if not isinstance(message, dict) or not isinstance(message.get("usage"), dict):
        return None
    return _reading(message)


def _kind(payload: bytes) -> bytes:
    return str(msgspec.json.decode(payload).get("type", "message")).encode()


def _payloads(body: bytes) -> Iterator[dict[str, Any]]:
    for line in body.splitlines():
        if line.startswith(b"data:"):
            payload = msgspec.json.decode(line[5:].strip() or b"null")
            if isinstance(payload, dict):
                yield payload


def _merged(body: bytes) -> dict[str, Any]:
    message: dict[str, Any] = {}
    for payload in _payloads(body):
        if payload.get("type") == "message_start":
            message = dict(payload["message"])
        elif payload.get("type") == "content_block_start":
            message["content"] = [*message.get("content", []), payload.get("content_block")]
        elif payload.get("type") == "message_delta":
            message.update(payload.get("delta") or {})
            said = {k: v for k, v in (payload.get("usage") or {}).items() if v is not None}
            message["usage"] = {**message.get("usage", {}), **said}
    return message


def _reading(message: dict[str, Any]) -> Reading:
    usage, model = message["usage"], str(message.get("model", ""))
    entries = usage.get("iterations") or [usage]
    units = []
    for number, entry in enumerate(entries):
        later_served = any(e.get("type") == "fallback_message" for e in entries[number + 1 :])
        declined = later_served and entry.get("type") == "message" and not entry.get("output_tokens")
        units.append(Unit(entry.get("model") or model, _counts(entry), declined))
    terms = Terms(
        batch=usage.get("service_tier") == "batch",
        us_geo=usage.get("inference_geo") == "us",
        speed=usage.get("speed") or "standard",
        web_searches=(usage.get("server_tool_use") or {}).get("web_search_requests") or 0,
        free=message.get("stop_reason") == "refusal" and not message.get("content"),
    )
    return Reading(str(message.get("id", "")), model, usage, units, terms)


def _counts(usage: dict[str, Any]) -> Counts:
    written = usage.get("cache_creation_input_tokens") or 0
    long = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0
    return Counts(
        input=usage.get("input_tokens") or 0,
        cache_write_5m=max(0, written - long),
        cache_write_1h=min(long, written),
        cache_read=usage.get("cache_read_input_tokens") or 0,
        output=usage.get("output_tokens") or 0,
    )
