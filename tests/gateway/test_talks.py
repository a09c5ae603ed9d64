import json

from underspend.core.call import Block, Call, Section
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


def block(tokens=100, role="user", mark=None):
    return Block(Section.MESSAGES, "text", "user", b"d", 1, tokens, breakpoint=mark, role=role)


ASKED = (block(), block(50, "assistant"), block(7, mark="5m"))


def test_what_was_not_simulated_is_taken_for_warm_as_long_as_it_may_live() -> None:
    talk = Talk(last=0, simulated=None)
    assert talk.held(call(MINUTE, blocks=ASKED)) == (100, 5 * MINUTE)
    assert talk.held(call(5 * MINUTE, blocks=ASKED)) == (0, None)
    talk.long, talk.long_until = 10, HOUR
    assert talk.held(call(9 * MINUTE, blocks=ASKED)) == (100, HOUR)
    assert Talk(marked=True).held(call(MINUTE, blocks=ASKED)) == (100, 6 * MINUTE)


def test_what_is_known_or_never_was_is_not_guessed() -> None:
    assert Talk(last=9, simulated=9).held(call(9, blocks=ASKED)) == (0, None)
    assert Talk().held(call(9, blocks=ASKED)) == (0, None)
    assert Talk(last=0).held(call(9, blocks=(block(), block(role="assistant"), block()))) == (0, None)
    assert Talk(last=0).held(call(9, blocks=(block(mark="5m"),))) == (0, None)


def test_what_another_version_wrote_is_left_out() -> None:
    for edit in ("{", "[]", "{}", json.dumps({"long": "x", "until": 1, "marked": 1})):
        talk = Talk()
        talk.remember([], [{"block": CACHE, "edit": edit}, {"block": "00", "edit": "{}"}])
        assert talk == Talk()
