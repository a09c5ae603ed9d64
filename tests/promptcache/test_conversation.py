import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptcache.prompts import SECOND, lanes
from underspend.promptcache import Ask, Commons, Conversation, Reset, Split, Why

MINUTE = 60 * SECOND


def call(talk, at, prompt, split=None, **more):
    """Forecast a call at a minute, then let it be billed as given, or as forecast."""
    more = {"scope": "m", "kind": "k", "answered": round((at + 0.1) * MINUTE), **more}
    ask = Ask(start=round(at * MINUTE), prompt=prompt, **more)
    found = talk.forecast(ask)
    talk.observe(ask, found.split if split is None else Split(**split))
    return found


def first(read=0, write=10_000, name="a", commons=None, long=False, **more):
    talk = Conversation(name, commons or Commons())
    lane = "cache_write_1h" if long else "cache_write_5m"
    call(talk, 0, read + write, {"cache_read": read, lane: write}, **more)
    return talk


def test_a_call_reads_what_the_one_before_left_behind():
    found = call(first(), 1, 12_000, tail=5)
    assert (lanes(found.split), found.why) == ((5, 10_000, 1995, 0), Why.CONTINUED)


@pytest.mark.parametrize(("long", "minutes"), [(False, 5), (True, 60)])
def test_past_its_lifetime_all_is_written_again_for_the_same_lifetime(long, minutes):
    assert call(first(long=long), minutes - 0.01, 11_000).split.cache_read == 10_000
    late = call(first(long=long), minutes, 11_000)
    assert late.why is Why.EXPIRED
    assert late.split.cache_read == 0
    assert (late.split.cache_write_1h if long else late.split.cache_write_5m) == 11_000


def test_a_read_refreshes():
    talk = first()
    call(talk, 4, 10_500)
    call(talk, 8, 11_000)
    assert call(talk, 12, 11_500).split.cache_read == 11_000


def test_a_prompt_cut_back_reads_what_had_been_written_up_to_there():
    talk = first()
    call(talk, 1, 12_000)
    call(talk, 2, 20_000)
    found = call(talk, 3, 13_000)
    assert (found.why, found.split.cache_read) == (Why.SHORTENED, 12_000)
    assert call(talk, 4, 21_000).split.cache_read == 13_000


def test_after_a_compaction_only_what_stands_before_the_messages_is_read():
    talk = first(read=4000, write=90_000)
    found = call(talk, 1, 9000, reset=Reset.COMPACTED)
    assert (found.why, found.split.cache_read) == (Why.RESET, 4000)
    unknown = first(write=90_000)
    assert call(unknown, 1, 9000, reset=Reset.COMPACTED).split.cache_read == 0


def test_another_scope_starts_cold_and_the_old_one_stays_warm():
    talk = first()
    found = call(talk, 1, 10_500, scope="other")
    assert (found.why, found.split.cache_read) == (Why.REKEYED, 0)
    assert call(talk, 2, 11_000).split.cache_read == 10_000


def test_the_first_of_its_kind_is_not_known():
    found = call(Conversation("a", Commons()), 0, 9000)
    assert (found.why, found.known, found.split.cache_read) == (Why.FIRST, False, 0)


def test_siblings_share_what_one_of_them_was_seen_to_read():
    commons = Commons()
    first(commons=commons)
    second = Conversation("b", commons)
    assert not call(second, 1, 10_000, {"cache_read": 8000, "cache_write_5m": 2000}).known
    third = call(Conversation("c", commons), 2, 9500)
    assert (third.known, lanes(third.split)) == (True, (0, 8000, 1500, 0))
    late = call(Conversation("d", commons), 60, 9500)
    assert (late.known, late.split.cache_read) == (False, 0)


def test_a_sibling_sent_before_the_first_response_begins_writes_too():
    commons = Commons()
    first(commons=commons, answered=3 * MINUTE)
    found = call(Conversation("b", commons), 1, 9500)
    assert (found.known, found.split.cache_read) == (True, 0)


def test_what_a_sibling_read_others_had_written_before():
    commons = Commons()
    first(commons=commons, read=8000, answered=3 * MINUTE)
    found = call(Conversation("b", commons), 1, 9500)
    assert (found.known, found.split.cache_read) == (True, 8000)


def test_below_the_minimum_all_is_fresh():
    found = call(Conversation("a", Commons()), 0, 900, minimum=1024)
    assert lanes(found.split) == (900, 0, 0, 0)


def test_mixed_lifetimes_leave_a_level_each():
    talk = Conversation("a", Commons())
    call(talk, 0, 9000, {"cache_write_1h": 5000, "cache_write_5m": 4000})
    found = call(talk, 6, 9500)
    assert (found.why, found.split.cache_read) == (Why.EXPIRED, 5000)


steps = st.tuples(st.integers(0, 90), st.integers(1, 50_000), st.integers(0, 300), st.sampled_from([None, *Reset]))


@given(st.lists(steps, max_size=20))
def test_a_forecast_always_adds_up_to_the_prompt(rows):
    talk, at = Conversation("a", Commons()), 0
    for gap, prompt, tail, reset in rows:
        at += gap
        found = call(talk, at, prompt, tail=tail, reset=reset, minimum=1024)
        assert found.split.prompt == prompt
        assert min(lanes(found.split)) >= 0
