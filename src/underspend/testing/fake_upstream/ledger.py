"""The ledger of truth: every request the fake provider saw, what it sent back and what that costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from underspend.testing.fake_upstream.bill import Bill, Charge
from underspend.testing.fake_upstream.view import RequestView


@dataclass(slots=True, kw_only=True)
class Seen:
    """One request and its answer.

    `target` is the raw path and query. `status` is 0 until the answer begins, and stays 0 when the client left
    before. `sent_in_full` is False for cut, spoiled or abandoned answers. `usage` is what the provider holds to
    be used, in the API's words: for a cut stream, what had been sent. `bill` is in pico-dollars. `body` is kept
    only when the upstream was told to keep bodies.
    """

    number: int
    request_id: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body_sha256: str
    body_bytes: int
    started: int
    session: str | None = None
    agent: str | None = None
    role: str | None = None
    model: str | None = None
    body: bytes | None = field(default=None, repr=False)
    status: int = 0
    message_id: str | None = None
    served_model: str | None = None
    usage: dict[str, Any] | None = None
    sent_in_full: bool = False
    bytes_sent: int = 0
    batch: bool = False
    bill: Bill = field(default_factory=Bill)

    @property
    def path(self) -> str:
        """The path without its query."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def settle(self, charge: Charge | None) -> None:
        """Fills in what the answer cost; nothing for answers that cost nothing."""
        if charge is None:
            return
        self.message_id, self.served_model = charge.message_id, charge.served_model
        self.usage, self.bill = charge.usage, charge.bill

    def as_json(self) -> dict[str, Any]:
        """Everything but the body, ready to be encoded."""
        said = {name: getattr(self, name) for name in self.__slots__ if name not in {"body", "bill"}}
        return {**said, "picodollars": self.bill.picodollars, "unpriced": self.bill.unpriced}


class Ledger:
    """Every request in the order it arrived."""

    def __init__(self, *, keep_bodies: bool = False) -> None:
        self.rows: list[Seen] = []
        self._keep_bodies = keep_bodies

    def open(self, view: RequestView, *, request_id: str, now: int, batch: bool = False) -> Seen:
        """Writes a request down when it arrives; the answer fills in the rest."""
        asked = view.json if view.method == "POST" else {}
        row = Seen(
            number=view.number,
            request_id=request_id,
            method=view.method,
            target=view.target,
            headers=tuple(view.raw_headers),
            body_sha256=sha256(view.body).hexdigest(),
            body_bytes=len(view.body),
            started=now,
            session=view.session,
            agent=view.agent,
            role=view.role if "messages" in asked else None,
            model=view.model or None,
            body=view.body if self._keep_bodies else None,
            batch=batch,
        )
        self.rows.append(row)
        return row

    def bill(self) -> Bill:
        """The bill of everything."""
        return sum((row.bill for row in self.rows), Bill())

    def by_session(self) -> dict[str | None, Bill]:
        """The bill of each session; None collects the requests that named none."""
        return _summed((row.session, row.bill) for row in self.rows if row.usage is not None)

    def by_model(self) -> dict[str | None, Bill]:
        """The bill of each serving model."""
        return _summed((row.served_model, row.bill) for row in self.rows if row.usage is not None)


def _summed(rows: Iterable[tuple[str | None, Bill]]) -> dict[str | None, Bill]:
    totals: dict[str | None, Bill] = defaultdict(Bill)
    for key, bill in rows:
        totals[key] += bill
    return dict(totals)
