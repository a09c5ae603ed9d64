"""What is watched: beginnings, and few of them."""

import json

import pytest
from doubles import NOW, Asked, Upstream
from replies import message
from routed import OPUS, routed, said

from underspend.gateway.routes import classify
from underspend.gateway.watching import Pace, Shown, Watching
from underspend.strategies.auto_model import AutoModel

SESSION = [(b"x-claude-code-session-id", b"11111111-2222-3333-4444-555555555555")]


def asked(body, headers=()):
    made = routed(Upstream([message()]))
    raw = json.dumps(body).encode()
    return made.asking.read(Asked(raw, headers=list(headers)), classify("POST", "/v1/messages"), raw)


def test_a_session_is_looked_at_where_it_begins_and_not_again():
    watching = Watching(AutoModel())
    call, key = watching.look(asked(said(model=OPUS), SESSION), NOW)
    assert call.task
    assert call.blocks
    assert key
    assert watching.look(asked(said(model=OPUS), SESSION), NOW) == (None, None)


def test_a_call_without_a_session_is_looked_at_where_nothing_was_said_before():
    watching = Watching(AutoModel())
    body = said(model=OPUS)
    assert watching.look(asked(body), NOW)[0] is not None
    body["messages"] += [{"role": "assistant", "content": "Yes."}, {"role": "user", "content": "Why?"}]
    assert watching.look(asked(body), NOW) == (None, None)


def test_there_is_time_for_a_few_looks_in_a_second():
    watching = Watching(AutoModel())
    assert sum(watching.may_look(NOW) for _ in range(50)) == 10
    assert watching.may_look(NOW + 1_000_000)


def test_a_pace_is_kept_second_by_second():
    pace = Pace(2)
    assert [pace.allows(at) for at in (0, 10, 20, 999_999, 1_000_000, 1_000_001, 1_000_002)] == [
        *(True, True, False, False),
        *(True, True, False),
    ]


def test_what_a_request_shows_is_read_once(monkeypatch):
    read = []
    monkeypatch.setattr("underspend.gateway.watching.class_of", lambda *_: read.append(1) or "chat")
    made = asked(said(model=OPUS))
    shown = Shown(made.message, made.call)
    assert read == []
    assert (shown.task, shown.task) == ("chat", "chat")
    assert shown.features is shown.features
    assert read == [1]


@pytest.mark.parametrize("mode", ["certified", "aggressive"])
def test_it_watches_as_one_that_may_not_act(mode):
    assert Watching(AutoModel(mode=mode)).strategy.is_acting is False
