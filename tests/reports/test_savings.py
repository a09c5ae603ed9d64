import pytest
from sqlalchemy import insert

from reports.ledger_rows import DOLLAR, add_call, add_decision, us
from underspend.reports.filters import Filter
from underspend.reports.savings import savings, savings_shape
from underspend.stores.schema import decisions, effects

TOKENS = (1000, 0, 0, 0, 0)


def add_effect(engine, call, strategy, saved, *, edits=0, applied=True):
    with engine.begin() as connection:
        connection.execute(insert(effects).values(call_id=call, strategy=strategy, saved_pico=saved))
        for n in range(edits):
            row = {"call_id": call, "n": n, "strategy": strategy, "edit": "SetModel", "why": "", "applied": applied}
            connection.execute(insert(decisions).values(**row))


def add_session(engine, name, dollars, *, turns, held_out=None):
    for turn in range(turns):
        more = {"session": name, "turn": f"t{turn}", "cost_pico": dollars * DOLLAR // turns, "held_out": held_out}
        add_call(engine, f"{name}-{turn}", "2026-11-20T10:00:00+00:00", TOKENS, **more)


def test_strategies_add_up_and_losses_are_shown_as_losses(ledger):
    cost = 3_000_000_000
    add_call(ledger, "a", "2026-11-20T10:00:00+00:00", TOKENS, without_us_pico=cost + 50)
    add_call(ledger, "b", "2026-11-20T11:00:00+00:00", TOKENS, without_us_pico=cost - 20)
    add_effect(ledger, "a", "dedupe_reads", 70, edits=2)
    add_effect(ledger, "a", "cold_prune", -20)
    add_effect(ledger, "b", "cold_prune", -20, edits=1)
    made = savings(ledger)
    assert [(each.strategy, each.amount, each.edits) for each in made.strategies] == [
        ("dedupe_reads", 70, 2),
        ("cold_prune", -40, 1),
    ]
    assert made.billed.saved == sum(each.amount for each in made.strategies) == 30
    assert made.holdout is None


def test_what_shadow_proposed_is_no_edit(ledger):
    add_call(ledger, "a", "2026-11-20T10:00:00+00:00", TOKENS)
    add_effect(ledger, "a", "model_rules", 0, edits=1, applied=False)
    assert savings(ledger).strategies[0].edits == 0


def test_the_period_is_that_of_the_filter(ledger):
    add_call(ledger, "a", "2026-11-19T10:00:00+00:00", TOKENS)
    add_effect(ledger, "a", "cold_prune", 5)
    assert savings(ledger, Filter(since=us("2026-11-20T00:00:00+00:00"))).strategies == []


def test_sessions_left_alone_are_compared_by_turn(ledger):
    for n in range(10):
        add_session(ledger, f"acted{n}", 2 + n % 2, turns=2)
        add_session(ledger, f"alone{n}", 4 + n % 2, turns=2, held_out=True)
    held = savings(ledger).holdout
    assert (held.acted.sessions, held.left_alone.sessions, held.acted.turns) == (10, 10, 20)
    assert held.saved_per_turn == DOLLAR
    # Each side: per-turn deviations of a quarter dollar over ten sessions of two turns.
    margin = 1.96 * (2 * (10 * (DOLLAR // 2) ** 2) * 10 / 9 / 20**2) ** 0.5
    assert held.low == pytest.approx(DOLLAR - margin, rel=1e-9)
    assert held.high == pytest.approx(DOLLAR + margin, rel=1e-9)


def test_few_sessions_say_nothing(ledger):
    add_session(ledger, "acted", 2, turns=1)
    add_session(ledger, "alone", 2, turns=1, held_out=True)
    held = savings(ledger).holdout
    assert (held.low, held.high) == (None, None)
    assert savings_shape(savings(ledger))["holdout"]["interval_95_usd"] is None


def test_the_shape_keeps_the_three_apart(ledger):
    add_call(ledger, "a", "2026-11-20T10:00:00+00:00", TOKENS)
    assert list(savings_shape(savings(ledger))) == ["billed", "simulated", "noted", "holdout"]


def test_what_the_router_would_have_done_counts_as_noted_only(ledger):
    add_call(ledger, "a", "2026-11-20T10:00:00+00:00", TOKENS)
    more = {"before_pico": 9, "after_pico": 4}
    add_decision(ledger, "a", 0, strategy="auto_model", applied=False, **more)
    add_decision(ledger, "a", 1, strategy="auto_model", applied=True, **more)
    add_decision(ledger, "a", 2, strategy="model_rules", applied=False, **more)
    made = savings(ledger)
    assert (made.noted.times, made.noted.amount) == (1, 5)
    assert list(made.strategies) == []
