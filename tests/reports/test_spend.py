import pytest

from reports.ledger_rows import DOLLAR, RATES, add_call, add_session, new_ledger, us
from underspend.core.usage import Usage
from underspend.reports.filters import Filter
from underspend.reports.periods import zone
from underspend.reports.spend import By, spend, total


@pytest.fixture
def ledger(ledger):
    engine = ledger
    add_call(engine, "a", "2026-11-19T23:30:00+00:00", (1000, 200, 0, 9000, 300))
    add_call(engine, "b", "2026-11-20T10:00:00+00:00", (10, 0, 500, 0, 20), session="s-two", project=None, role="side")
    add_call(
        engine,
        "c",
        "2026-11-20T11:00:00+00:00",
        (100, 0, 0, 0, 50),
        model_served="new-model",
        unpriced="new-model",
        cost_pico=0,
        without_us_pico=0,
        input_pico=0,
        output_pico=0,
        session=None,
        evidence="estimated",
        billing="oauth",
    )
    add_call(engine, "open", "2026-11-20T11:30:00+00:00", state="open", evidence=None)
    add_session(engine, "s-two", "blog")
    return engine


def test_lanes_and_the_three_money_columns_add_up(ledger):
    found = spend(ledger, tz=zone("UTC"))
    assert [row.key for row in found.rows] == ["2026-11-19", "2026-11-20"]
    first = found.rows[0].sums
    assert first.tokens == Usage(input=1000, cache_write_5m=200, cache_read=9000, output=300)
    tokens = (1000, 200, 0, 9000, 300)
    assert first.paid == sum(first.lanes.values()) == sum(n * rate for n, rate in zip(tokens, RATES, strict=True))
    assert first.saved == 0
    assert found.total.calls == 3
    assert found.total == total(ledger, Filter())


def test_an_open_call_is_not_counted(ledger):
    assert spend(ledger).total.calls == 3


def test_days_are_those_of_the_zone(ledger):
    found = spend(ledger, tz=zone("Europe/Berlin"))
    assert [(row.key, row.sums.calls) for row in found.rows] == [("2026-11-20", 3)]
    assert found.zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        (By.HOUR, ["2026-11-19 23:00+00:00", "2026-11-20 10:00+00:00", "2026-11-20 11:00+00:00"]),
        (By.WEEK, ["2026-W47"]),
        (By.MONTH, ["2026-11"]),
        (By.MODEL, ["claude-sonnet-5", "new-model"]),
        (By.SESSION, ["s-one", "s-two", None]),
        (By.PROJECT, ["shop", "blog"]),
        (By.AGENT, [None]),
        (By.ROLE, ["main", "side"]),
        (By.KEY, ["k1"]),
    ],
)
def test_groups(ledger, by, keys):
    assert [row.key for row in spend(ledger, by=by, tz=zone("UTC")).rows] == keys


def test_an_unpriced_model_is_named_with_its_tokens_and_never_free(ledger):
    found = spend(ledger)
    (unpriced,) = found.unpriced
    assert (unpriced.model, unpriced.calls, unpriced.tokens.prompt) == ("new-model", 1, 100)
    assert found.total.unpriced == 1


def test_evidence_and_plan_are_kept_apart(tmp_path):
    engine = new_ledger(tmp_path)
    add_call(engine, "a", 1, (1000, 0, 0, 0, 0))
    add_call(engine, "b", 2, (2000, 0, 0, 0, 0), evidence="estimated", billing="oauth")
    found = total(engine, Filter())
    assert found.evidence == {"billed": 3 * 10**9, "measured": 0, "simulated": 0, "estimated": 6 * 10**9}
    assert (found.plan, found.plan_calls, found.estimated) == (6 * 10**9, 1, 1)
    engine.dispose()


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        (Filter(since=us("2026-11-20T10:00:00+00:00")), 2),
        (Filter(until=us("2026-11-20T10:00:00+00:00")), 1),
        (Filter(project="blog"), 1),
        (Filter(model="new-model"), 1),
        (Filter(session="s-t"), 1),
        (Filter(session="s_t"), 0),
        (Filter(project="nowhere"), 0),
    ],
)
def test_filters(ledger, where, ids):
    assert spend(ledger, where=where).total.calls == ids


def test_saved_may_be_negative(tmp_path):
    engine = new_ledger(tmp_path)
    add_call(engine, "a", 1, cost_pico=2 * DOLLAR, without_us_pico=DOLLAR)
    assert spend(engine).total.saved == -DOLLAR
    engine.dispose()
