from audit.calls_in_a_row import MINUTE, START, STEADY, line, loop, reply, typed
from audit.histories import history, sample
from audit.replay.policies import steady
from underspend.audit.bills import price
from underspend.audit.replay.traffic import settings_of, traffic
from underspend.pricing.catalogue import catalogue


def billed(past):
    return sum(each.bill.total for each in price(past))


def test_the_recorded_bill_is_all_that_was_billed():
    past = sample()
    made = traffic(past)
    assert made.recorded == billed(past)
    assert made.unpriced == {"claude-unheard-of": 1, "claude-unheard-of web search": 1}


def test_replies_without_a_prompt_are_set_apart():
    past = history(line(typed(START), reply("a", START, (0, 0, 0, 0, 700)), session="s", project="p"))
    made = traffic(past)
    assert made.calls == []
    assert made.apart == {("p", "s"): billed(past)}
    assert made.recorded == billed(past)


def test_a_reply_that_two_timelines_hold_is_counted_once():
    events = loop(*STEADY)
    past = history(line(*events, session="a"), line(*events, session="b"))
    assert sum(asked.counted for asked in traffic(past).calls) == len(STEADY)
    assert traffic(past).recorded == billed(past)


def test_calls_come_in_the_order_they_were_sent():
    first = line(*loop(*STEADY, name="a"), session="a")
    second = line(*loop(*STEADY, name="b"), session="b")
    made = traffic(history(second, first))
    starts = [asked.recorded.step.start for asked in made.calls]
    assert starts == sorted(starts)


def test_where_rules_and_record_agree_nothing_bounds_the_cache():
    made = steady()
    assert [(asked.at_least, asked.at_most) for asked in made.calls[1:]] == [(-1, None)] * 3
    assert [asked.expected.cache_read for asked in made.calls[1:]] == [15_003, 15_403, 16_003]
    assert made.missed == 0


def test_a_warm_prompt_that_missed_is_noted_as_missed():
    made = steady((3, 11_800, 0, 5000, 50))
    last = made.calls[-1]
    assert last.at_most == 1
    assert last.expected.cache_read == 5003
    assert made.missed == 16_703 - 5000


def test_what_others_kept_warm_is_noted_as_warm():
    made = traffic(history(line(typed(START), reply("a", START, (0, 1000, 0, 9000, 5)))))
    assert made.calls[0].at_least == 1
    assert made.calls[0].expected.cache_read == 9003


def test_only_what_came_since_is_counted():
    made = traffic(history(line(*loop(*STEADY))), since=START + 2 * MINUTE)
    assert [asked.counted for asked in made.calls] == [False, False, True, True]
    assert made.recorded == sum(asked.paid.total for asked in made.calls[2:])


def test_copied_calls_that_bear_one_time_see_what_the_one_before_wrote():
    copied = [reply(name, START + MINUTE, (0, 100, 0, 9000 + 100 * n, 1)) for n, name in enumerate("abc")]
    made = traffic(history(line(typed(START), *copied)))
    assert [asked.at_least for asked in made.calls[1:]] == [-1, -1]


def test_the_key_takes_a_models_own_effort_for_none():
    prices = catalogue()
    plain, minimum = settings_of("claude-opus-5-5", None, None, prices)
    assert plain == settings_of("claude-opus-5-5", "medium", "standard", prices)[0]
    assert plain != settings_of("claude-opus-5-5", "high", None, prices)[0]
    assert minimum > 0
    assert settings_of("claude-unheard-of", None, "fast", prices)[0].speed == "fast"
