import random

from reports.ledger_rows import add_call, new_ledger, us
from underspend.stores.past_spending import spent_in_stretches

MINUTE = 60_000_000
AT = "2026-11-20T10:0{}:00+00:00"
SINCE = us("2026-11-20T00:00:00+00:00")


def test_what_was_spent_is_added_up_in_stretches_oldest_first(tmp_path):
    engine = new_ledger(tmp_path)
    for number, (minute, cost) in enumerate([(7, 5), (1, 1), (2, 2), (8, 0)]):
        add_call(engine, f"c{number}", AT.format(minute), (1, 0, 0, 0, 1), cost_pico=cost)
    add_call(engine, "before", "2026-11-19T23:59:00+00:00", (1, 0, 0, 0, 1), cost_pico=9)
    ten = us("2026-11-20T10:00:00+00:00")
    assert list(spent_in_stretches(engine, SINCE, 5 * MINUTE)) == [(ten, 3), (ten + 5 * MINUTE, 5)]
    engine.dispose()


def test_nothing_is_lost_however_long_a_stretch_is(tmp_path):
    engine, chance = new_ledger(tmp_path), random.Random(1)
    costs = [chance.randrange(1, 10**15) for _ in range(60)]
    for number, cost in enumerate(costs):
        at = f"2026-11-20T10:{number:02}:00+00:00"
        add_call(engine, f"c{number}", at, (1, 0, 0, 0, 1), cost_pico=cost)
    for minutes in (1, 7, 60):
        assert sum(amount for _, amount in spent_in_stretches(engine, SINCE, minutes * MINUTE)) == sum(costs)
    engine.dispose()
