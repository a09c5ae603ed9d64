"""AWS event streams (`application/vnd.amazon.eventstream`) as server-sent events.

A frame is: total length, header length, checksum of both (4 bytes each), headers, payload, checksum of all. Source:
https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html and the Bedrock API reference, whose
payload holds each of Claude's own events as base64 under `bytes`.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib

import msgspec

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_LARGEST = 24 * 1024 * 1024
_STRING = 7
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by its type; types 6 and 7 say their length themselves."""


class EventStream:
    """Feed it bytes of an event stream; it returns server-sent events. Raises ValueError for what is no frame."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, chunk: bytes) -> bytes:
        """The events that these bytes complete."""
        self._tail += chunk
        made = []
        while len(self._tail) >= _PRELUDE.size:
            total, head, checksum = _PRELUDE.unpack_from(self._tail)
            if zlib.crc32(self._tail[:8]) != checksum or not _PRELUDE.size + head + 4 <= total <= _LARGEST:
                raise ValueError("a frame of the event stream is broken")
            if len(self._tail) < total:
                break
            frame, self._tail = self._tail[:total], self._tail[total:]
            if zlib.crc32(frame[:-4]) != _CHECKSUM.unpack(frame[-4:])[0]:
                raise ValueError("a frame of the event stream is damaged")
            start = _PRELUDE.size + head
            made.append(_as_event(_headers(frame[_PRELUDE.size : start]), frame[start:-4]))
        return b"".join(made)


def _as_event(headers: dict[str, str], payload: bytes) -> bytes:
    if headers.get(":message-type") == "event":
        try:
            inner = base64.b64decode(msgspec.json.decode(payload).get("bytes", ""))
            kind = msgspec.json.decode(inner).get("type", "message")
        except (msgspec.DecodeError, binascii.Error, AttributeError, TypeError) as error:
            raise ValueError("an event of the event stream is no JSON") from error
        return b"event: %b\ndata: %b\n\n" % (str(kind).encode(), inner)
    kind = _KINDS.get(headers.get(":exception-type", ""), "api_error")
    return b"event: error\ndata: %b\n\n" % msgspec.json.encode(
        {"type": "error", "error": {"type": kind, "message": _message(payload)}}
    )


_KINDS = {
    "throttlingException": "rate_limit_error",
    "validationException": "invalid_request_error",
    "modelTimeoutException": "timeout_error",
    "serviceUnavailableException": "overloaded_error",
}


def _message(payload: bytes) -> str:
    try:
        said = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return payload.decode(errors="replace")
    return str(said.get("message", "")) if isinstance(said, dict) else str(said)


def _headers(raw: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(raw):
            size = raw[at]
            name = raw[at + 1 : at + 1 + size].decode()
            kind = raw[at + 1 + size]
            at += 2 + size
            if kind in _SIZES:
                at += _SIZES[kind]
                continue
            (length,) = struct.unpack_from(">H", raw, at)
            value = raw[at + 2 : at + 2 + length]
            at += 2 + length
            if kind == _STRING:
                found[name] = value.decode()
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ValueError("the headers of a frame are broken") from error
    return found
