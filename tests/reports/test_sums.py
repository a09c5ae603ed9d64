from reports.ledger_rows import add_call, new_ledger
from underspend.core.usage import Usage
from underspend.reports.filters import Filter
from underspend.reports.spend import total as whole
from underspend.reports.sums import Sums, total


def test_sums_add_up_field_by_field():
    one = Sums(calls=1, tokens=Usage(1, 2, 3, 4, 5), paid=5, without_us=7, lanes={"input": 5}, evidence={"billed": 5})
    two = Sums(calls=2, tokens=Usage(output=1), paid=1, without_us=1, lanes={"output": 1}, unpriced=1)
    both = total([one, two])
    assert (both.calls, both.paid, both.saved, both.unpriced) == (3, 6, 2, 1)
    assert both.tokens == Usage(1, 2, 3, 4, 6)
    assert both.lanes == {"input": 5, "output": 1}
    assert both.evidence == {"billed": 5}


def test_the_hit_share_of_no_prompt_is_not_known():
    assert Sums().hit_share is None
    assert Sums(tokens=Usage(input=1, cache_read=3)).hit_share == 0.75


def test_calls_answered_here_are_counted_apart_and_not_as_estimated(tmp_path):
    engine = new_ledger(tmp_path)
    at = 1_795_132_800_000_000
    add_call(engine, "a", at, (1000, 0, 0, 0, 10))
    free = {"evidence": "estimated", "without_us_pico": 7}
    add_call(engine, "b", at, outcome="answered", **free)
    add_call(engine, "c", at, outcome="cut", **free)
    add_call(engine, "d", at, outcome=None)
    found = whole(engine, Filter())
    assert (found.calls, found.answered, found.spared, found.estimated) == (4, 1, 7, 1)
    engine.dispose()
