import json

from underspend.core.call import Call
from underspend.core.usage import Usage
from underspend.gateway import talks
from underspend.gateway.talks import CACHE, Talk, cache_row

MINUTE = 60_000_000
HOUR = 60 * MINUTE


def call(at=0, **more):
    return Call(id="c", time=at, provider="anthropic", endpoint="messages", model="m", **more)


def test_a_call_that_nobody_took_apart_is_noted() -> None:
    talk = Talk()
    talk.passed(call(MINUTE), Usage(input=5), 7)
    talk.passed(call(9 * MINUTE), Usage(input=5), 7)
    assert (talk.calls, talk.last, talk.gaps, talk.paid) == (2, 9 * MINUTE, [8 * MINUTE], 14)
    assert talk.long == 0
    talk.passed(call(10 * MINUTE), Usage(cache_write_1h=5), 7)
    assert (talk.long, talk.long_until) == (1, 70 * MINUTE)


def test_the_longest_pause_counts_the_one_before_this_call() -> None:
    talk = Talk()
    assert talk.longest_pause(9) == 0
    talk.last = 3
    assert talk.longest_pause(9) == 6
    talk.gaps = [1, 8]
    assert talk.longest_pause(9) == 8


def test_of_many_pauses_the_longest_is_never_forgotten(monkeypatch) -> None:
    monkeypatch.setattr(talks, "_GAPS", 10)
    talk, at = Talk(), 0
    for number in range(100):
        at += HOUR if number == 50 else MINUTE
        talk.pause(at, noted=True)
        talk.last = at
    assert talk.gaps[-1] == HOUR
    assert len(talk.gaps) <= 10


def test_after_a_restart_it_is_as_the_ledger_has_it() -> None:
    rows = [
        {"started_at": at * MINUTE, "cost_pico": 10, "without_us_pico": without}
        for at, without in ((0, 10), (1, 30), (8, 5))
    ]
    before = Talk(long=900, long_until=68 * MINUTE, marked=True, lowered="low")
    again = Talk()
    again.remember(rows, [cache_row("s main", before, 3)])
    assert (again.calls, again.last, again.gaps) == (3, 8 * MINUTE, [MINUTE, 7 * MINUTE])
    assert (again.paid, again.saved) == (30, 15)
    assert again.cached == before.cached == again.said
    assert again.effort == "low"


def test_what_another_version_wrote_is_left_out() -> None:
    for edit in ("{", "[]", "{}", json.dumps({"long": "x", "until": 1, "marked": 1})):
        talk = Talk()
        talk.remember([], [{"block": CACHE, "edit": edit}, {"block": "00", "edit": "{}"}])
        assert talk == Talk()
