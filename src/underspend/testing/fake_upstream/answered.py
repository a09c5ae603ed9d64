"""An answer ready for the wire, whatever endpoint made it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from underspend.testing.fake_upstream.bill import Charge
from underspend.testing.fake_upstream.faults import Delivery
from underspend.testing.fake_upstream.pieces import Piece

JSON_TYPE = "application/json"
Headers = list[tuple[str, str]]


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Status, headers and body pieces; `began` is called when the first byte goes out.

    `settle(pieces fully sent)` gives the charge, or None for answers that cost nothing. `streamed` bodies go out
    in chunks without a length.
    """

    status: int = 200
    headers: Headers = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    streamed: bool = False
    delivery: Delivery = field(default_factory=Delivery)
    whole: bool = True
    began: Callable[[], None] = _nothing
    settle: Callable[[list[Piece]], Charge | None] = lambda _sent: None


def json_answer(payload: Any, *, status: int = 200) -> Answered:
    """A JSON body."""
    return Answered(
        status=status,
        headers=[("content-type", JSON_TYPE)],
        pieces=[Piece(msgspec.json.encode(payload))],
    )


def raw_answer(body: bytes, content_type: str) -> Answered:
    """A body as it is."""
    return Answered(headers=[("content-type", content_type)], pieces=[Piece(body)] if body else [])
