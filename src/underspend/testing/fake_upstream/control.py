"""`/__fake__/...`: how another process reads the ledger, moves the clock and scripts the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from underspend.testing.fake_upstream.answered import Answered, json_answer
from underspend.testing.fake_upstream.api_error import ApiError, invalid
from underspend.testing.fake_upstream.bill import Bill
from underspend.testing.fake_upstream.clock import FakeClock
from underspend.testing.fake_upstream.ledger import Ledger
from underspend.testing.fake_upstream.script import Script, script_from_json
from underspend.testing.fake_upstream.view import RequestView

ROOT = "/__fake__/"


class Controlled(Protocol):
    """What the control endpoints need of an upstream."""

    clock: FakeClock
    script: Script | None

    @property
    def ledger(self) -> Ledger:
        """The ledger of truth."""

    def reset(self) -> None:
        """Forgets requests, cache and script."""

    def end_batch(self, batch_id: str) -> None:
        """Works off a batch now. Raises KeyError for an unknown one."""


class _Advance(msgspec.Struct, forbid_unknown_fields=True):
    advance_seconds: float


def control(up: Controlled, view: RequestView) -> Answered:
    """The answer to a control request: GET requests, GET bill, POST clock, script, reset, batches/<id>/end."""
    name = view.path.partition(ROOT)[2]
    routes: dict[tuple[str, str], Callable[[], Any]] = {
        ("GET", "requests"): lambda: [row.as_json() for row in up.ledger.rows],
        ("GET", "bill"): lambda: _bills(up.ledger),
        ("POST", "clock"): lambda: {"now": up.clock.advance(_seconds(view.body))},
        ("POST", "script"): lambda: _set_script(up, view.body),
        ("POST", "reset"): up.reset,
    }
    route = routes.get((view.method, name))
    try:
        if route is not None:
            return json_answer(route() or {})
        _end_batch(up, view.method, name)
    except (ApiError, KeyError, ValueError) as error:
        refusal = error if isinstance(error, ApiError) else invalid(str(error))
        return json_answer({"error": refusal.message}, status=refusal.status)
    return json_answer({})


def _end_batch(up: Controlled, method: str, name: str) -> None:
    if method != "POST" or not (name.startswith("batches/") and name.endswith("/end")):
        raise ApiError(404, "Not Found")
    up.end_batch(name.removeprefix("batches/").removesuffix("/end"))


def _seconds(body: bytes) -> float:
    return msgspec.json.decode(body, type=_Advance).advance_seconds


def _set_script(up: Controlled, body: bytes) -> None:
    up.script = script_from_json(body)


def _bills(ledger: Ledger) -> dict[str, Any]:
    return {
        "total": _amount(ledger.bill()),
        "by_session": {key or "": _amount(bill) for key, bill in ledger.by_session().items()},
        "by_model": {key or "": _amount(bill) for key, bill in ledger.by_model().items()},
    }


def _amount(bill: Bill) -> dict[str, Any]:
    return {"picodollars": bill.picodollars, "unpriced": bill.unpriced}
