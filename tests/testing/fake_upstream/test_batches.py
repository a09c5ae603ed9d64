from __future__ import annotations

from typing import Any

import anthropic
import pytest

from testing.fake_upstream.exchange import Ask, fetch, message
from underspend.testing.fake_upstream import FakeUpstream, Fault, Queue, Reply, run_in_thread

PATH = "/v1/messages/batches"


def item(name: str, **change: Any) -> dict[str, Any]:
    return {"custom_id": name, "params": {**message(name), **change}}


def test_a_batch_from_creation_to_results_with_the_sdk(up: FakeUpstream) -> None:
    up.script = Queue([], default=Reply(content="abcd"))
    with anthropic.Anthropic(base_url=up.url, api_key="k") as client:
        requests: Any = [item("a"), item("b"), item("bad", stream=True), item("none", model="claude-next")]
        made = client.messages.batches.create(requests=requests)
        assert (made.processing_status, made.request_counts.processing) == ("in_progress", 4)
        assert made.results_url is None
        results = {r.custom_id: r.result for r in client.messages.batches.results(made.id)}
        assert list(results) == ["none", "bad", "b", "a"]
        assert {name: result.type for name, result in results.items()} == {
            "a": "succeeded",
            "b": "succeeded",
            "bad": "errored",
            "none": "errored",
        }
        ended = client.messages.batches.retrieve(made.id)
        assert ended.results_url is not None
        assert ended.results_url.startswith(up.url)
        assert (ended.request_counts.succeeded, ended.request_counts.errored) == (2, 2)
        assert [batch.id for batch in client.messages.batches.list()] == [made.id]
        client.messages.batches.delete(made.id)
        assert list(client.messages.batches.list()) == []


def test_items_are_billed_at_half_price_and_only_when_they_succeed(up: FakeUpstream, ask: Ask) -> None:
    up.script = Queue([Reply(content="abcd"), Reply(content="abcd"), Fault(status=500)])
    plain = ask(body=message("a"))
    made = ask(PATH, {"requests": [item("broken"), item("a")]}).json
    ask(f"{PATH}/{made['id']}", method="GET")
    rows = {row.target: row for row in up.requests if row.batch}
    done = rows[f"{PATH}#a"]
    assert plain.json["usage"]["output_tokens"] == 1
    assert done.bill.picodollars * 2 == up.requests[0].bill.picodollars
    assert done.usage is not None
    assert done.usage["service_tier"] == "batch"
    failed = rows[f"{PATH}#broken"]
    assert (failed.status, failed.bill.picodollars) == (500, 0)


def test_items_share_the_prompt_cache(up: FakeUpstream, ask: Ask) -> None:
    shared = {"system": [{"type": "text", "text": "s" * 4000, "cache_control": {"type": "ephemeral"}}]}
    made = ask(PATH, {"requests": [item("a", **shared), item("b", **shared)]}).json
    ask(f"{PATH}/{made['id']}", method="GET")
    reads = [row.usage["cache_read_input_tokens"] for row in up.requests if row.batch and row.usage]
    assert reads[0] == 0
    assert reads[1] > 900


def test_a_batch_can_be_held_and_ended_by_hand() -> None:
    with run_in_thread(batch_seconds=None) as up:
        made = fetch(up, PATH, {"requests": [item("a")]}).json
        path = f"{PATH}/{made['id']}"
        assert fetch(up, path, method="GET").json["processing_status"] == "in_progress"
        assert fetch(up, f"{path}/results", method="GET").status == 400
        assert fetch(up, path, method="DELETE").status == 400
        up.end_batch(made["id"])
        up.end_batch(made["id"])
        assert fetch(up, path, method="GET").json["request_counts"]["succeeded"] == 1


def test_a_batch_takes_its_time_on_the_clock() -> None:
    with run_in_thread(batch_seconds=600) as up:
        made = fetch(up, PATH, {"requests": [item("a")]}).json
        path = f"{PATH}/{made['id']}"
        assert fetch(up, path, method="GET").json["processing_status"] == "in_progress"
        up.clock.advance(600)
        assert fetch(up, path, method="GET").json["processing_status"] == "ended"


def test_a_canceled_batch_ends_without_a_bill() -> None:
    with run_in_thread(batch_seconds=None) as up:
        made = fetch(up, PATH, {"requests": [item("a")]}).json
        path = f"{PATH}/{made['id']}"
        canceling = fetch(up, f"{path}/cancel").json
        assert canceling["processing_status"] == "canceling"
        assert canceling["cancel_initiated_at"]
        assert fetch(up, path, method="GET").json["request_counts"]["canceled"] == 1
        assert fetch(up, f"{path}/cancel").status == 400
        assert up.bill().picodollars == 0


def test_a_batch_expires_after_a_day() -> None:
    with run_in_thread(batch_seconds=None) as up:
        made = fetch(up, PATH, {"requests": [item("a")]}).json
        up.clock.advance(24 * 3600)
        assert fetch(up, f"{PATH}/{made['id']}", method="GET").json["request_counts"]["expired"] == 1


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        ([], "at least one"),
        ([item("a"), item("a")], "duplicate"),
        ([item("a b")], "pattern"),
        ([item("")], "pattern"),
        ([item("x" * 65)], "pattern"),
        ([{"custom_id": "a"}], "params"),
        (["a"], "custom_id"),
    ],
)
def test_bad_batches_are_refused_at_creation(ask: Ask, requests: Any, words: str) -> None:
    got = ask(PATH, {"requests": requests})
    assert got.status == 400
    assert words in got.json["error"]["message"]


def test_batches_belong_to_a_workspace(up: FakeUpstream) -> None:
    made = fetch(up, PATH, {"requests": [item("a")]}, key="one").json
    assert fetch(up, f"{PATH}/{made['id']}", method="GET", key="two").status == 404
