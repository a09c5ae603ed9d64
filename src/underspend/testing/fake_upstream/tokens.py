"""A deterministic tokenizer: four bytes of a block's canonical JSON are one token, images cost by their size."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Any

BYTES_PER_TOKEN = 4
IMAGE_PATCH = 28
IMAGE_TOKENS_CAP = 1568
_PNG = b"\x89PNG\r\n\x1a\n"
_GIF = (b"GIF87a", b"GIF89a")
_HEADER_CHARS = 64


def count(canonical: bytes) -> int:
    """Tokens of a block given its canonical JSON, never less than one."""
    return max(1, -(-len(canonical) // BYTES_PER_TOKEN))


def count_text(text: str) -> int:
    """Tokens of a piece of output text; none for the empty text."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def image_tokens(block: dict[str, Any]) -> int:
    """Tokens of an image block: ceil(w/28)*ceil(h/28), capped. Formats whose size is not read cost the cap."""
    source = block.get("source")
    size = _dimensions(source.get("data")) if isinstance(source, dict) else None
    if size is None:
        return IMAGE_TOKENS_CAP
    width, height = size
    return max(1, min(IMAGE_TOKENS_CAP, -(-width // IMAGE_PATCH) * -(-height // IMAGE_PATCH)))


def _dimensions(data: object) -> tuple[int, int] | None:
    if not isinstance(data, str):
        return None
    try:
        head = base64.b64decode(data[:_HEADER_CHARS], validate=True)
    except (binascii.Error, ValueError):
        return None
    if head.startswith(_PNG) and len(head) >= 24:  # noqa: PLR2004  # width and height end at byte 24 of a PNG
        width, height = struct.unpack(">II", head[16:24])
        return int(width), int(height)
    if head.startswith(_GIF):
        width, height = struct.unpack("<HH", head[6:10])
        return int(width), int(height)
    return None
