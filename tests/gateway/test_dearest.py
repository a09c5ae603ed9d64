from dataclasses import replace

from underspend.core.call import Call
from underspend.gateway.dearest import Dearest
from underspend.pricing.forecast import Forecast

HAIKU = Call(
    id="c",
    time=0,
    provider="anthropic",
    endpoint="messages",
    model="claude-haiku-5-5",
    prompt_ceiling=9_000,
    max_output=10,
)
OPUS = replace(HAIKU, model="claude-opus-5-5")


def test_the_worst_case_is_the_dearest_of_all_and_everything_else_the_call_s_own():
    plain = Forecast()
    both = Dearest(plain, lambda call: [OPUS])
    assert both.worst_case(HAIKU) == plain.worst_case(OPUS) > plain.worst_case(HAIKU)
    assert both.estimate(HAIKU) == plain.estimate(HAIKU)
    assert both.rates(HAIKU) == plain.rates(HAIKU)
    assert both.step_above(HAIKU) == plain.step_above(HAIKU)
    assert both.cache_minimum(HAIKU.model) == plain.cache_minimum(HAIKU.model)


def test_with_nobody_else_it_is_the_call_s_own():
    assert Dearest(Forecast(), lambda call: []).worst_case(OPUS) == Forecast().worst_case(OPUS)
