import asyncio
import json

import pytest
from doubles import Asked, FixedClock, Told

from core.steps_in_a_row import step, use
from underspend.core.alerts import Kind
from underspend.core.runaway import Runaway, RunawayRules
from underspend.gateway.resuming import Resuming

NOW = FixedClock().now()


@pytest.fixture
def paused():
    runaway = Runaway(RunawayRules(may_pause=frozenset({Kind.LOOP})))
    for number in range(8):
        runaway.watch(step(0, use(), at=NOW + number, prompt=str(number).encode()))
    return Resuming(runaway, type("Later", (), {"now": lambda _: NOW + 1_000_000})())


def post(resuming, body):
    told = Told()
    asyncio.run(resuming.handle(Asked(body), told))
    return told.status, json.loads(told.body)


def test_what_is_paused_is_plain_data(paused):
    (only,) = paused.pauses()
    assert (only["session"], only["agent"], only["kind"]) == ("s", None, "loop")
    assert (only["since"], only["until"]) == (NOW + 7, NOW + 7 + 600_000_000)
    json.dumps(only)


def test_a_session_goes_on(paused):
    assert post(paused, b'{"session": null}') == (200, {"ended": 0})
    assert post(paused, b'{"session": "s"}') == (200, {"ended": 1})
    assert paused.pauses() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"session": 1}', b"x" * 70_000])
def test_what_names_no_session_is_refused(paused, body):
    status, said = post(paused, body)
    assert status == 400
    assert "session" in said["error"]["message"]
    assert len(paused.pauses()) == 1


def test_where_nothing_is_watched_nothing_is_paused():
    nothing = Resuming(None, FixedClock())
    assert nothing.pauses() == []
    assert post(nothing, b'{"session": "s"}') == (200, {"ended": 0})
