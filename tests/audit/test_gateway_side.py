import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.histories import DAY, HOUR, MINUTE, START
from underspend.audit.choice import Choice
from underspend.audit.gateway_side import (
    AUXILIARY,
    COMPACTION,
    CUT,
    ELSEWHERE,
    OTHER,
    Seen,
    both_sides,
    period_of,
    rows_of_both_sides,
)
from underspend.audit.numbered import Numbered, number_of

EVERYTHING = Choice()


def seen(message="m", at=START, cost=5, **more):
    known = {
        "message_id": message,
        "request_id": None,
        "started_at": at,
        "ended_at": at + 1,
        "cost": cost,
        "role": "main",
        "outcome": "ok",
        "session": "s",
        "project": "shop",
        "directory": "/home/dev/shop",
        "model": "claude-opus-5-5",
        "evidence": "billed",
    }
    return Seen(**known | more)


def reply(message="m", at=START + 1, cost=5, request=""):
    return Numbered(number_of(message), number_of(request), at, cost)


def compared(calls, replies, choice=EVERYTHING):
    first = min((each.at for each in replies), default=START)
    return both_sides(calls, replies, choice, first_at=first, sessions={"s"})


def only(found):
    return {each.what: (each.calls, each.cost) for each in found.only_gateway}


def test_without_a_call_there_is_nothing_to_compare():
    assert compared([], [reply()]) is None
    assert compared([seen(message=None, cost=0)], [reply()]) is None


def test_a_reply_that_both_hold_is_one():
    found = compared([seen(cost=6)], [reply(cost=5)])
    assert (found.both, found.transcripts, found.gateway, only(found)) == (1, 5, 6, {})
    assert (found.past.calls, found.before.calls, found.since) == (0, 0, START)


def test_by_its_request_where_its_message_is_another():
    found = compared([seen("gateway's", request_id="r")], [reply("client's", request="r")])
    assert (found.both, only(found)) == (1, {})


def test_a_reply_is_no_two_calls():
    calls = [seen("m", request_id="r"), seen("other", request_id="r", cost=7)]
    found = compared(calls, [reply("m", request="r")])
    assert (found.both, only(found)) == (1, {OTHER: (1, 7)})
    again = compared([seen("m", cost=5), seen("m", cost=0, at=START + 9)], [reply("m")])
    assert (again.both, again.gateway, only(again)) == (1, 5, {})


def test_replies_that_did_not_go_through_the_gateway():
    replies = [reply("old", at=START - DAY, cost=1), reply("m"), reply("new", at=START + DAY, cost=2)]
    found = compared([seen()], replies)
    assert (found.before.calls, found.before.cost) == (1, 1)
    assert (found.past.calls, found.past.cost) == (1, 2)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"role": "compaction"}, COMPACTION),
        ({"role": "compaction", "outcome": "cut"}, COMPACTION),
        ({"outcome": "cut"}, CUT),
        ({"outcome": "aborted", "role": "side"}, CUT),
        ({"outcome": "interrupted", "message_id": None}, CUT),
        ({"role": "side"}, AUXILIARY),
        ({"role": "side", "session": None}, AUXILIARY),
        ({"session": "elsewhere"}, ELSEWHERE),
        ({"session": None}, ELSEWHERE),
        ({}, OTHER),
    ],
)
def test_what_only_the_gateway_saw_by_its_kind(more, what):
    assert only(compared([seen("x", **more)], [reply()])) == {what: (1, 5)}


def test_what_was_estimated_is_said():
    (found,) = compared([seen("x", outcome="cut", evidence="estimated")], []).only_gateway
    assert (found.cost, found.estimated) == (5, 5)


def test_failures_that_cost_nothing_are_no_replies():
    calls = [seen(), seen(None, cost=0, outcome="error"), seen(None, cost=0, role="side")]
    assert only(compared(calls, [reply()])) == {}


def test_only_the_chosen_calls_are_compared():
    calls = [
        seen("a", project="blog", directory="/b"),
        seen("b", session="t"),
        seen("c", model="claude-haiku-5-5"),
        seen("d"),
    ]
    for choice, names in (
        (Choice(project="blog"), 1),
        (Choice(project="/home/dev/shop"), 3),
        (Choice(session="t"), 1),
        (Choice(model="claude-haiku-5-5"), 1),
        (Choice(), 4),
    ):
        assert sum(each.calls for each in compared(calls, [], choice).only_gateway) == names


def test_calls_at_the_ends_of_the_period():
    choice = Choice(since=START, until=START + HOUR)
    early, late = seen("early", at=START - MINUTE), seen("late", at=START + HOUR - 1, ended_at=START + HOUR + 5)
    alone = compared([seen(), early, late], [reply()], choice)
    assert only(alone) == {}
    both = compared([early, late], [reply("early", at=START + 1), reply("late", at=START + HOUR - 1)], choice)
    assert (both.both, only(both)) == (2, {})
    assert compared([early, late], [], choice) is None
    assert period_of(choice, 7, 8) == (START - HOUR, START + HOUR)
    assert period_of(EVERYTHING, START, START + DAY) == (START - HOUR, START + DAY)


def test_calls_long_before_the_first_reply_are_of_another_time():
    found = compared([seen("old", at=START - HOUR), seen("title", at=START - MINUTE, role="side"), seen()], [reply()])
    assert only(found) == {AUXILIARY: (1, 5)}


ids = st.sampled_from(["a", "b", "c", "d", None])


@given(
    st.lists(st.builds(seen, ids, st.integers(START, START + DAY), st.integers(0, 9), request_id=ids)),
    st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(START, START + DAY), st.integers(0, 9), ids)),
)
def test_every_reply_and_every_dollar_is_on_one_line(calls, told):
    replies = [reply(name, at, cost, request or "") for name, (at, cost, request) in told.items()]
    found = compared(calls, replies)
    if found is None:
        return
    assert found.both + found.past.calls + found.before.calls == len(replies)
    assert found.transcripts + found.past.cost + found.before.cost == sum(each.cost for each in replies)
    first = min((each.at for each in replies), default=START)
    counted = found.gateway + sum(each.cost for each in found.only_gateway)
    assert counted <= sum(each.cost for each in calls)
    if all(each.started_at >= first - 10 * MINUTE for each in calls):
        assert counted == sum(each.cost for each in calls)
    msgspec.json.encode(found)


def test_the_lines_that_are_shown():
    calls = [seen(), seen("x", outcome="cut", evidence="estimated"), seen("y", role="compaction", cost=9)]
    found = compared(calls, [reply(), reply("old", at=START - DAY, cost=1)])
    assert rows_of_both_sides(found) == [
        ("in both", 1, 5, 5),
        ("only in transcripts: before the gateway's first call", 1, 1, None),
        ("only in the gateway: compaction calls", 1, None, 9),
        ("only in the gateway: replies cut before their end (estimated)", 1, None, 5),
    ]
