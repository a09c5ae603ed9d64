from doubles import Asked as Request
from doubles import Upstream, body, pipeline

from underspend.gateway.routes import classify

ROUTE = classify("POST", "/v1/messages")


def test_what_the_ledger_keeps_of_a_prompt():
    made = pipeline(Upstream([]))
    data = body(system="be brief", messages=[{"role": "user", "content": "x"}])
    parts = made.asking.read(Request(data), ROUTE, data).parts
    assert (parts.system, parts.messages) == (b'"be brief"', b'[{"role": "user", "content": "x"}]')
    assert parts.blocks is None


def test_of_what_was_not_read_it_keeps_nothing():
    made = pipeline(Upstream([]))
    assert made.asking.read(Request(b""), classify("POST", "/v1/new"), None).parts is None


def test_a_body_is_taken_apart_once():
    made = pipeline(Upstream([]))
    data = body(messages=[{"role": "user", "content": "x"}])
    asked = made.asking.read(Request(data), ROUTE, data)
    assert asked.written is asked.written
    assert asked.written.raw == data
    assert asked.written.get("max_tokens") == 100
