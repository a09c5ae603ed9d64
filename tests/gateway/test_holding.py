import asyncio
from dataclasses import replace

import pytest
from doubles import NOW, FixedClock, daily

from underspend.core.budgets import Action, AtCap, Scope
from underspend.core.call import BillingMode, Call, Identity
from underspend.core.holds import HoldsError, HoldsLostError, Override
from underspend.core.money import from_usd
from underspend.core.plan import Plan
from underspend.core.windows import window
from underspend.gateway.holding import Admitted, Breach, Holding
from underspend.gateway.status import Status
from underspend.stores.holds.memory import MemoryHolds
from underspend.stores.holds.off_loop import OffLoop

DOLLAR = from_usd(1)
CALL = Call(
    id="c1",
    time=NOW,
    provider="anthropic",
    endpoint="messages",
    model="claude-opus-5-5",
    kind="main",
    identity=Identity(session="s1", project="web", key="k1", billing=BillingMode.API_KEY),
)
ONE = daily("1", name="one", window=window("request"))


def holding(*budgets, holds=None, **options):
    store = holds or MemoryHolds()
    for budget in budgets:
        store.restore(budget.series, (), now=NOW)
    made = Holding(
        budgets=budgets,
        holds=OffLoop(store, clock=FixedClock().now, hold_for=60_000_000),
        status=Status(clock=FixedClock(), version="test"),
        clock=FixedClock(),
        **options,
    )
    return made, store


def admit(made, most, call=CALL, **options):
    return asyncio.run(made.admit(Plan(asked=call, call=call), most, **options))


def named(name):
    return replace(CALL, id=name)


def used(store, budget):
    return [(each.spent, each.held) for each in store.standings(claims_of(store, budget), now=NOW)]


def claims_of(store, budget):
    from underspend.core.budgets import claims_on

    return claims_on(budget, store.accounts(budget.series), NOW)


def test_a_call_is_held_until_it_is_settled_and_then_counts_for_what_it_cost():
    day = daily("5")
    made, store = holding(day)
    assert admit(made, 3 * DOLLAR) == Admitted(Plan(asked=CALL, call=CALL))
    assert used(store, day) == [(0, 3 * DOLLAR)]
    made.settle("c1", DOLLAR)
    made.settle("c1", DOLLAR)
    assert used(store, day) == [(DOLLAR, 0)]


def test_a_call_that_was_not_sent_leaves_nothing():
    day = daily("5")
    made, store = holding(day)
    admit(made, DOLLAR)
    made.settle("c1", 0, sent=False)
    assert used(store, day) == []


def test_what_does_not_fit_is_refused_in_words_and_for_the_ledger():
    made, _ = holding(daily("5"))
    refused = admit(made, 6 * DOLLAR)
    assert isinstance(refused, Breach)
    assert "has no room for this call" in refused.words
    assert (refused.budget, refused.plan.refusal.why, refused.plan.decisions[-1].strategy) == (
        "day",
        refused.words,
        "budget",
    )


def test_only_calls_that_cost_are_counted_and_a_plans_only_where_it_was_asked_for():
    day = daily("0")
    made, _ = holding(day)
    on_plan = replace(CALL, identity=replace(CALL.identity, billing=BillingMode.OAUTH))
    for free in (replace(CALL, endpoint="count_tokens"), on_plan):
        assert isinstance(admit(made, DOLLAR, free), Admitted)
    acting, _ = holding(day, subscription=True)
    assert isinstance(admit(acting, DOLLAR, on_plan), Breach)


def test_a_budget_that_warns_is_said_with_the_call_once_it_is_used_up():
    warns = daily("1", action=Action.WARN)
    made, _ = holding(warns)
    assert admit(made, 5 * DOLLAR).plan.decisions == ()
    made.settle("c1", DOLLAR)
    (decision,) = admit(made, DOLLAR, named("c2")).plan.decisions
    assert "is used up" in decision.edit.why


def test_a_call_whose_cost_cannot_be_known_is_stopped_by_a_budget_that_blocks_and_is_not_paused():
    day = daily("5")
    made, store = holding(day)
    assert "cannot be known" in admit(made, None).words
    store.override(Override("day", None, NOW + 1))
    assert isinstance(admit(made, None), Admitted)
    made.settle("c1", DOLLAR)
    assert used(store, day) == [(DOLLAR, 0)]
    warns, _ = holding(daily("5", action=Action.WARN))
    assert isinstance(admit(warns, None), Admitted)


class Down(MemoryHolds):
    def reserve(self, *args, **options):
        raise HoldsError(where="there", problem="gone")

    overrides = reserve


def test_a_store_that_cannot_be_asked_stops_calls_only_where_a_budget_blocks():
    made, _ = holding(daily("5"), holds=Down())
    assert "cannot be checked" in admit(made, DOLLAR).words
    warns, _ = holding(daily("5", action=Action.WARN), holds=Down())
    assert isinstance(admit(warns, DOLLAR), Admitted)
    assert warns.status.snapshot()["faults"][0]["component"] == "budgets"


def test_what_the_store_lost_is_restored_and_asked_again():
    day = daily("5")
    store, restored = MemoryHolds(), []

    async def restore(series):
        restored.append(series)
        store.restore(series[0], (), now=NOW)

    made = Holding(
        budgets=(day,),
        holds=OffLoop(store, clock=FixedClock().now, hold_for=60_000_000),
        status=Status(clock=FixedClock(), version="test"),
        clock=FixedClock(),
        restore=restore,
    )
    assert isinstance(admit(made, DOLLAR), Admitted)
    assert restored == [(day.series,)]


def test_a_store_that_stays_empty_stops_the_call():
    class Lost(MemoryHolds):
        def reserve(self, *args, **options):
            raise HoldsLostError(where="there", series=("x|",))

    made, _ = holding(daily("5"), holds=Lost())
    assert isinstance(admit(made, DOLLAR), Breach)


def test_a_request_that_could_pass_its_own_budget_is_refused_unless_that_is_raised_or_paused():
    made, store = holding(ONE)
    assert "Ask for less output" in admit(made, 2 * DOLLAR).words
    assert isinstance(admit(made, DOLLAR), Admitted)
    store.override(Override("one", 3 * DOLLAR, NOW + 1))
    assert isinstance(admit(made, 2 * DOLLAR), Admitted)
    assert isinstance(admit(made, 4 * DOLLAR), Breach)
    store.override(Override("one", None, NOW + 1))
    assert isinstance(admit(made, 4 * DOLLAR), Admitted)


def test_a_reply_that_can_be_ended_holds_the_cap_it_is_ended_at():
    ends, day = replace(ONE, at_cap=AtCap.END), daily("5")
    made, store = holding(ends, day)
    assert admit(made, 4 * DOLLAR, can_end=True).ends_at is ends
    assert used(store, day) == [(0, DOLLAR)]
    assert isinstance(admit(made, 4 * DOLLAR, named("c2")), Breach)
    assert admit(made, DOLLAR // 2, named("c3"), can_end=True).ends_at is None
    store.override(Override("one", 2 * DOLLAR, NOW + 1))
    assert admit(made, 4 * DOLLAR, named("c5"), can_end=True).ends_at.cap == 2 * DOLLAR
    made.settle("c5", 0)
    store.override(Override("one", None, NOW + 1))
    assert admit(made, 3 * DOLLAR, named("c4"), can_end=True).ends_at is None


def test_a_request_that_passed_thresholds_of_its_own_budget_is_told_once_with_the_highest():
    told = []
    made, _ = holding(replace(ONE, action=Action.WARN), tell=lambda budget, crossing: told.append(crossing.percent))
    admit(made, 2 * DOLLAR)
    made.settle("c1", DOLLAR * 9 // 10)
    assert told == [80]


def test_accounts_that_changed_are_left_to_be_looked_at():
    woken = []
    made, _ = holding(daily("5"), wake=lambda: woken.append(1))
    admit(made, DOLLAR)
    assert not made.touched
    made.settle("c1", DOLLAR)
    assert [budget.name for budget, _ in made.touched.values()] == ["day"]
    assert woken


def test_a_batchs_result_is_counted_once():
    day = daily("5")
    made, store = holding(day)
    result = replace(CALL, id="r1", endpoint="batch_result")
    made.book(result, DOLLAR)
    made.book(result, DOLLAR)
    assert used(store, day) == [(DOLLAR, 0)]
    made.is_known = lambda call: True
    made.book(replace(result, id="r2"), DOLLAR)
    assert used(store, day) == [(DOLLAR, 0)]


@pytest.mark.parametrize(
    ("budget", "barred"),
    [
        (daily("5"), True),
        (daily("5", action=Action.WARN), False),
        (daily("5", scope=Scope.PROJECT, only="web"), True),
        (daily("5", scope=Scope.PROJECT, only="app"), False),
        (daily("5", scope=Scope.KEY), True),
        (daily("5", scope=Scope.MODEL, only="m"), True),
    ],
)
def test_a_message_batch_is_barred_where_a_budget_that_blocks_may_count_it(budget, barred):
    made, store = holding(budget)
    assert (asyncio.run(made.bars_batches(CALL.identity)) is not None) is barred
    store.override(Override("day", None, NOW + 1))
    assert asyncio.run(made.bars_batches(CALL.identity)) is None
    on_plan = replace(CALL.identity, billing=BillingMode.OAUTH)
    assert asyncio.run(holding(budget)[0].bars_batches(on_plan)) is None
    assert (asyncio.run(holding(budget, holds=Down())[0].bars_batches(CALL.identity)) is not None) is barred


def test_a_learned_reserve_is_what_nearly_all_calls_like_it_cost():
    day = daily("1000")
    made, store = holding(day, learned=True)
    for n in range(120):
        admit(made, DOLLAR, named(f"c{n}"))
        made.settle(f"c{n}", DOLLAR // 10)
    admit(made, DOLLAR, named("next"))
    assert used(store, day)[0][1] == DOLLAR // 10
    admit(made, DOLLAR, replace(named("other"), kind="other"))
    assert used(store, day)[0][1] == DOLLAR // 10 + DOLLAR


def test_an_attempts_room_is_there_for_the_next():
    made, _ = holding(daily("5"))

    async def both():
        await made.admit(Plan(asked=CALL, call=CALL), 5 * DOLLAR)
        await made.handed_over("c1", 0, sent=True)
        second = named("c2")
        return await made.admit(Plan(asked=second, call=second), 5 * DOLLAR)

    assert isinstance(asyncio.run(both()), Admitted)
