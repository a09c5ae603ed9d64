import json

from audit.calls_in_a_row import STEADY, line, loop
from audit.histories import history
from underspend.audit.prediction import predict
from underspend.audit.prediction_causes import Cause
from underspend.audit.prediction_check import cause_rows, check, check_shape, moment, usd


def made():
    steady = line(*loop(*STEADY, name="a"), session="good")
    missed = line(*loop(*STEADY, (3, 11_800, 0, 5000, 50), name="b"), session="bad", project="other")
    return check(predict(history(steady, missed)))


def test_the_shape_is_as_promised():
    shape = json.loads(json.dumps(check_shape(made())))
    assert (shape["calls"], shape["calls_within_2pct"]) == (9, 8)
    assert shape["inferred"]["calls"] == 2
    determined = shape["determined"]
    assert determined["calls"] == 5
    assert (determined["sessions"], determined["sessions_within_1pct"]) == (2, 1)
    assert shape["misses_by_cause"] == {"unexplained": {"calls": 1, "usd": "0.05616"}}
    assert [miss["usd"] for miss in shape["misses"]] == ["0.05616"]
    assert shape["misses"][0]["recorded"] == {"read": 5000, "write": 11_800, "fresh": 3}
    assert shape["misses"][0]["predicted"] == {"read": 16_700, "write": 100, "fresh": 3}


def test_every_call_is_close_or_a_miss_with_a_cause_and_the_dollars_add_up():
    found = made()
    assert sum(calls for calls, _ in found.by_cause.values()) == found.every.calls - found.close
    extra = sum(money for _, money in found.by_cause.values())
    assert found.every.recorded - found.every.predicted == extra
    assert found.determined.calls + sum(found.open.values()) == found.every.calls


def test_the_causes_in_words():
    assert [row[1:] for row in cause_rows(made())] == [(1, 56_160_000_000)]
    assert list(made().by_cause) == [Cause.UNEXPLAINED]


def test_nothing_recorded():
    shape = check_shape(check([]))
    assert shape["calls"] == shape["calls_within_2pct"] == 0
    assert shape["cost_recorded_usd"] == "0"
    assert shape["misses"] == []


def test_dollars_are_plain_digits():
    assert usd(1) == "0.000000000001"
    assert usd(-5 * 10**14) == "-500"
    assert moment(1_795_132_800_999_999) == "2026-11-20T00:00:00Z"
