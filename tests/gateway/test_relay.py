import asyncio

import pytest
from doubles import Asked, Told, Upstream, pipeline
from replies import message

from underspend.gateway.relay import Relay
from underspend.gateway.routes import classify
from underspend.gateway.transport import UpstreamUnreachableError


def relay(upstream):
    made = pipeline(upstream)
    return Relay(upstream=upstream, books=made.books, identifier=made.asking.identifier, status=made.status)


def handle(made, method, path, data=b"", headers=()):
    told = Told()
    asked = Asked(data, method=method, path=path.encode(), headers=list(headers))
    asyncio.run(made.handle(asked, told, classify(method, path)))
    return told


def test_a_request_without_a_body_is_sent_without_one():
    upstream = Upstream([b"{}"])
    assert handle(relay(upstream), "GET", "/v1/models").body == b"{}"
    assert upstream.sent[0][3] is None


@pytest.mark.parametrize("header", [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")])
def test_a_body_is_passed_on_as_it_comes(header):
    upstream = Upstream([b"{}"])
    handle(relay(upstream), "POST", "/v1/files", b"abc", [header])
    assert upstream.sent[0][3] == b"abc"


def test_what_is_not_a_call_is_not_in_the_ledger():
    made = relay(Upstream([message()]))
    handle(made, "GET", "/v1/messages/odd")
    assert not made.books.ledger.calls


def test_an_upstream_that_is_away_or_breaks_off():
    assert handle(relay(Upstream([], error=UpstreamUnreachableError("x"))), "GET", "/v1/models").status == 502
    made = relay(Upstream([b"{"], cut=True))
    assert not handle(made, "GET", "/v1/models").ended
    assert made.status.snapshot()["faults"][0]["component"] == "upstream"


def test_a_bad_line_in_batch_results_costs_that_line_only():
    good = b'{"custom_id":"a","result":{"type":"succeeded","message":' + message() + b"}}"
    failed = b'{"custom_id":"b","result":{"type":"errored"}}'
    made = relay(Upstream([good[:50], good[50:] + b"\nnot json\n" + failed], content_type=b"application/x-jsonl"))
    told = handle(made, "GET", "/v1/messages/batches/b/results")
    assert told.body == good + b"\nnot json\n" + failed
    (row,) = made.books.ledger.calls.values()
    assert row["cost_pico"] * 2 == 100 * 4_000_000 + 10 * 20_000_000
    assert made.status.snapshot()["faults"][0]["component"] == "batch results"


def test_a_get_with_a_body_is_passed_on_with_it():
    upstream = Upstream([b"{}"])
    handle(relay(upstream), "GET", "/v1/models", b"abc", [(b"content-length", b"3")])
    assert upstream.sent[0][3] == b"abc"


def test_a_list_of_batches_that_breaks_off_is_an_upstream_that_broke_off():
    told = handle(relay(Upstream([b'{"data"'], cut=True)), "GET", "/v1/messages/batches", headers=[(b"host", b"h")])
    assert told.status == 502
    assert b"the gateway failed" not in told.body
