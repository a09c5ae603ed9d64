"""Recorded provider traffic, in whichever form a project keeps it → exchanges with their bodies as on the wire.

Known forms: VCR cassettes (`interactions:`, also with `parsed_body`, and the older `requests:`/`responses:` lists),
inline-snapshot lists of `{request, response}`, whole JSON replies, SSE dumps, and one SSE payload per line. Which one
a file is shows in its content; names are not looked at.
"""

from __future__ import annotations

import base64
import gzip
import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FORMS = frozenset({".json", ".yaml", ".yml", ".txt", ".sse"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One reply and, where it was recorded, the request it answers. `binary` is what is no text (an image)."""

    reply: bytes
    url: str = ""
    status: int = 200
    request: bytes | None = None
    headers: Mapping[str, str] | None = None

    @property
    def counts_tokens(self) -> bool:
        """Whether it is a free question about token counts."""
        return "count_tokens" in self.url or "countTokens" in self.url or "count-tokens" in self.url

    @property
    def textual(self) -> bool:
        """Whether the reply is JSON or server-sent events at all."""
        return self.reply.lstrip()[:1] in {b"{", b"["} or b"data:" in self.reply[:2000]


def files(root: Path) -> Iterator[Path]:
    """Every recording under a folder, in the order of their names."""
    yield from (path for path in sorted(root.rglob("*")) if path.suffix in FORMS and path.is_file())


def exchanges(path: Path) -> list[Exchange]:
    """What a recording holds, in order."""
    raw = path.read_bytes()
    if path.suffix in {".yaml", ".yml"}:
        return list(_cassette(yaml.load(raw, Loader=yaml.CSafeLoader)))
    value = _json(raw)
    if isinstance(value, list) and value and isinstance(value[0], dict) and "response" in value[0]:
        return [_snapshot(pair) for pair in value]
    if value is not None and not _is_event(value):
        return [Exchange(reply=raw)]
    if raw.lstrip().startswith(b"{"):
        return [Exchange(reply=sse(reply)) for reply in _split(raw.splitlines())]
    return [Exchange(reply=raw)]


def sse(payloads: Iterable[bytes]) -> bytes:
    """Payloads as the server sends them: an `event:` line where the payload has a type, then the data."""
    return b"".join(_framed(payload) for payload in payloads)


def _framed(payload: bytes) -> bytes:
    value = _json(payload)
    kind = value.get("type") if isinstance(value, dict) else None
    name = b"event: " + kind.encode() + b"\n" if isinstance(kind, str) else b""
    return name + b"data: " + payload.strip() + b"\n\n"


def _split(lines: Iterable[bytes]) -> list[list[bytes]]:
    """The payloads of each reply: a file may hold several, and each begins with its own `message_start`."""
    replies: list[list[bytes]] = []
    for line in lines:
        if not line.strip():
            continue
        if not replies or _is_event(_json(line)):
            replies.append([])
        replies[-1].append(line)
    return replies


def _cassette(value: Any) -> Iterator[Exchange]:
    if "interactions" in value:
        for pair in value["interactions"]:
            yield _exchange(pair["request"], pair["response"])
    else:
        for request, response in zip(value["requests"], value["responses"], strict=True):
            yield _exchange(request, response)


def _exchange(request: Any, response: Any) -> Exchange:
    status = response.get("status") or {}
    return Exchange(
        reply=_body(response) or b"",
        url=str(request.get("uri") or request.get("url") or ""),
        status=int(status.get("code", 200)) if isinstance(status, dict) else int(status),
        request=_body(request),
        headers=_headers(response.get("headers")),
    )


def _snapshot(pair: Any) -> Exchange:
    request, response = pair["request"], pair["response"]
    return Exchange(
        reply=_bytes(response.get("body")) or b"",
        url=str(request.get("url") or ""),
        status=int(response.get("status_code", 200)),
        request=_bytes(request.get("body")),
        headers=_headers(response.get("headers")),
    )


def _headers(recorded: Any) -> dict[str, str]:
    if not isinstance(recorded, dict):
        return {}
    first = {name: value[0] if isinstance(value, list) else value for name, value in recorded.items() if value}
    return {str(name).lower(): str(value) for name, value in first.items()}


def _body(message: Any) -> bytes | None:
    if message.get("parsed_body") is not None:
        return _bytes(message["parsed_body"])
    body = message.get("body")
    return _bytes(body.get("string") if isinstance(body, dict) else body)


def _bytes(body: Any) -> bytes | None:
    """A recorded body as bytes on the wire, with its content coding and AWS's event framing undone."""
    if body is None:
        return None
    if isinstance(body, str):
        # A cassette may spell an emoji as two escaped surrogates.
        return body.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    if isinstance(body, bytes):
        return _unframed(_decoded(body))
    return json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode()


def _decoded(body: bytes) -> bytes:
    if body.startswith(b"\x1f\x8b"):
        return gzip.decompress(body)
    return body


def _unframed(body: bytes) -> bytes:
    """AWS's `application/vnd.amazon.eventstream` of an Anthropic reply as SSE; anything else as it is."""
    payloads: list[bytes] = []
    at = 0
    while at + 16 <= len(body):
        total, headers, check = struct.unpack(">III", body[at : at + 12])
        if check != zlib.crc32(body[at : at + 8]) or at + total > len(body):
            return body
        value = _json(body[at + 12 + headers : at + total - 4])
        if isinstance(value, dict) and "bytes" in value:
            payloads.append(base64.b64decode(value["bytes"]))
        at += total
    return sse(payloads) if payloads else body


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _is_event(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "message_start"
