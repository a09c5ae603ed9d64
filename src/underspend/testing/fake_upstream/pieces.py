"""The unit in which answers are sent and counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that are sent together, and the output tokens the client holds once it has them."""

    data: bytes
    output_tokens: int = 0
    kind: str = ""
