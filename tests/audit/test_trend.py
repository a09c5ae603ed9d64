from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from audit.histories import DAY, HAIKU, HOUR, OPUS, START, history, line, reply
from underspend.audit import trend as module
from underspend.audit.bills import price
from underspend.audit.days import Days
from underspend.audit.trend import forecast, looked_back_to, moments, trend

UTC = Days(ZoneInfo("UTC"))
WEEK = 7 * DAY
MONDAY = START - 4 * DAY
AFTER = MONDAY + WEEK


def calls(name, at, count, usage, *, agent=None, model=OPUS):
    made = [reply(f"{name}{n}", at + n * HOUR, usage, model=model) for n in range(count)]
    return line(*made, session=name, agent=agent)


def told(*lines, now=AFTER):
    return trend(moments(price(history(*lines))), UTC, now)


def causes(found):
    return {each.what: each.amount for each in found.causes}


def test_more_calls_are_volume():
    found = told(calls("a", MONDAY - WEEK, 2, (100, 0, 0, 0, 0)), calls("b", MONDAY, 6, (100, 0, 0, 0, 0)))
    assert found.rose
    assert causes(found) == {module.VOLUME: 4 * 400_000_000}


def test_sub_agents_are_fan_out():
    before = calls("a", MONDAY - WEEK, 2, (100, 0, 0, 0, 0))
    found = told(before, calls("b", MONDAY, 2, (100, 0, 0, 0, 0)), calls("c", MONDAY, 3, (100, 0, 0, 0, 0), agent="x"))
    assert causes(found) == {module.FAN_OUT: 3 * 400_000_000}


def test_a_dearer_model_is_the_mix():
    before = calls("a", MONDAY - WEEK, 2, (100, 0, 0, 0, 0), model=HAIKU)
    assert set(causes(told(before, calls("b", MONDAY, 2, (100, 0, 0, 0, 0))))) == {module.MODELS}


def test_longer_prompts_are_context_size():
    found = told(calls("a", MONDAY - WEEK, 2, (100, 0, 0, 0, 0)), calls("b", MONDAY, 2, (300, 0, 0, 0, 0)))
    assert causes(found) == {module.CONTEXT: 2 * 800_000_000}


def test_the_same_prompts_written_instead_of_read_are_cache_misses():
    found = told(calls("a", MONDAY - WEEK, 2, (0, 0, 0, 100, 0)), calls("b", MONDAY, 2, (0, 100, 0, 0, 0)))
    assert set(causes(found)) == {module.CACHE}


def test_longer_answers_are_the_rest():
    found = told(calls("a", MONDAY - WEEK, 2, (100, 0, 0, 0, 5)), calls("b", MONDAY, 2, (100, 0, 0, 0, 50)))
    assert set(causes(found)) == {module.REST}


def test_a_running_week_is_held_against_the_same_stretch():
    lines = (calls("a", MONDAY - WEEK, 1, (100, 0, 0, 0, 0)), calls("b", MONDAY - 2 * DAY, 1, (900, 0, 0, 0, 0)))
    found = told(*lines, calls("c", MONDAY, 1, (100, 0, 0, 0, 0)), now=MONDAY + DAY)
    assert (found.partial, found.before, found.now, found.rose) == (True, 400_000_000, 400_000_000, False)


def test_without_a_week_before_there_is_no_trend():
    assert told(calls("b", MONDAY, 2, (100, 0, 0, 0, 0))) is None
    assert told() is None


week = st.lists(
    st.tuples(
        st.integers(0, 7 * 24 - 1),
        st.sampled_from([OPUS, HAIKU, "claude-unheard-of"]),
        st.booleans(),
        st.tuples(*[st.integers(0, 10**5)] * 5),
    ),
    min_size=1,
    max_size=8,
)


@given(week, week)
def test_the_causes_add_up_to_the_difference(before, after):
    lines = [
        line(
            reply(f"{n}-{at}", start + hour * HOUR, usage, model=model),
            agent="x" if agent else None,
            session=f"{n}-{at}",
        )
        for start, rows in ((MONDAY - WEEK, before), (MONDAY, after))
        for n, (hour, model, agent, usage) in enumerate(rows)
        for at in [start]
    ]
    found = told(*lines)
    assert sum(each.amount for each in found.causes) == found.now - found.before


def test_a_month_goes_on_as_the_last_28_days_did():
    lines = (calls("a", START - 9 * DAY, 1, (100, 0, 0, 0, 0)), calls("b", START, 1, (100, 0, 0, 0, 0)))
    made, first = moments(price(history(*lines))), START - 9 * DAY
    found = forecast(made, UTC, START + HOUR, first_at=first)
    assert (found.month, found.so_far, found.days_left) == ("2026-11", 800_000_000, 10)
    assert found.expected == 800_000_000 + 800_000_000
    assert forecast(made, UTC, START + 60 * DAY, first_at=first) is None


@given(st.integers(-90, 90), st.lists(st.integers(0, 90), min_size=1, max_size=5))
def test_what_lies_further_back_bears_on_neither(now, days):
    now = START + now * DAY
    every = moments(price(history(*(calls(f"c{day}", START - day * DAY, 1, (100, 0, 0, 0, 0)) for day in set(days)))))
    late = [each for each in every if each.at >= looked_back_to(every[-1].at, now)]
    assert trend(late, UTC, now) == trend(every, UTC, now)
    first = every[0].at
    assert forecast(late, UTC, now, first_at=first) == forecast(every, UTC, now, first_at=first)
