from __future__ import annotations

import json
from hashlib import sha256

from underspend.testing.fake_upstream.bill import Bill, Charge
from underspend.testing.fake_upstream.ledger import Ledger
from underspend.testing.fake_upstream.view import RequestView

BODY = json.dumps({"model": "m", "messages": [], "tools": [{}]}).encode()


def view(session: str | None = None) -> RequestView:
    headers = [("X-Api-Key", "k")] + ([("X-Claude-Code-Session-Id", session)] if session else [])
    return RequestView("POST", "/v1/messages?beta=true", headers, BODY, 1)


def test_a_row_holds_the_request_as_it_came() -> None:
    row = Ledger().open(view("s"), request_id="req", now=5)
    assert (row.path, row.target, row.session, row.role) == ("/v1/messages", "/v1/messages?beta=true", "s", "main")
    assert row.body_sha256 == sha256(BODY).hexdigest()
    assert (row.body, row.header("x-api-key"), row.header("none")) == (None, "k", None)
    assert (row.status, row.sent_in_full, row.bill) == (0, False, Bill())


def test_bodies_are_kept_when_asked() -> None:
    assert Ledger(keep_bodies=True).open(view(), request_id="r", now=0).body == BODY


def test_bills_add_up_by_session_and_model() -> None:
    ledger = Ledger()
    for session, model, amount in (("a", "m", 1), ("a", "n", 2), (None, "n", 4)):
        ledger.open(view(session), request_id="r", now=0).settle(Charge("id", model, {}, Bill(amount)))
    ledger.open(view("free"), request_id="r", now=0).settle(None)
    assert ledger.by_session() == {"a": Bill(3), None: Bill(4)}
    assert ledger.by_model() == {"m": Bill(1), "n": Bill(6)}
    assert ledger.bill() == Bill(7)


def test_a_row_as_json_leaves_the_body_out() -> None:
    row = Ledger(keep_bodies=True).open(view(), request_id="r", now=0)
    row.settle(Charge("id", "m", {"output_tokens": 1}, Bill(9, ("m",))))
    said = json.loads(json.dumps(row.as_json()))
    assert (said["picodollars"], said["unpriced"], said["message_id"]) == (9, ["m"], "id")
    assert "body" not in said
