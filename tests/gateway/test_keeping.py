import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest
from doubles import NOW, FixedClock, daily

from stores.ledger_of_budgets import call_row, ledger
from underspend.core.budgets import Action, PastCall, Scope, Subject, bookings
from underspend.core.call import Call, Identity, Role
from underspend.core.holds import HoldsError
from underspend.core.money import from_usd
from underspend.core.plan import Plan
from underspend.core.ports import LedgerHealth
from underspend.core.windows import window
from underspend.gateway.holding import Holding
from underspend.gateway.keeping import Keeper
from underspend.gateway.status import Status
from underspend.pricing.catalogue import catalogue
from underspend.stores.holds.memory import MemoryHolds
from underspend.stores.holds.off_loop import OffLoop

DOLLAR = from_usd(1)
LIFE = 60_000_000
CALL = Call(id="c1", time=NOW, provider="anthropic", endpoint="messages", model="claude-opus-5-5")


class Clock(FixedClock):
    at = NOW

    def now(self):
        return self.at


def kept(*budgets, holds=None, rows=(), **options):
    clock = Clock()
    holding = Holding(
        budgets=budgets,
        holds=OffLoop(holds or MemoryHolds(), clock=clock.now, hold_for=LIFE),
        status=Status(clock=clock, version="test"),
        clock=clock,
    )
    return Keeper(holding=holding, engine=ledger(*rows), catalogue=catalogue(), life=LIFE, **options)


def spent(made):
    store, budget = made.holding.holds.holds, made.holding.budgets[0]
    from underspend.core.budgets import claims_on

    found = store.standings(claims_on(budget, store.accounts(budget.series), NOW), now=NOW)
    return {each.account.removeprefix(budget.series): (each.spent, each.held) for each in found}


def admit(made, call, most):
    return made.holding.admit(Plan(asked=call, call=call), most)


def test_at_the_start_a_series_is_restored_from_the_ledger():
    rows = [call_row("a", DOLLAR), call_row("b", 2 * DOLLAR), call_row("plan", DOLLAR, billing="oauth")]
    made = kept(daily("5"), rows=[*rows, call_row("old", DOLLAR, started_at=NOW - 86_400_000_000)])
    asyncio.run(made.begun())
    assert spent(made) == {"": (3 * DOLLAR, 0)}
    asyncio.run(made.begun())
    assert spent(made) == {"": (3 * DOLLAR, 0)}


def test_budgets_of_tags_begin_at_nothing_because_the_ledger_keeps_none():
    made = kept(daily("5", scope=Scope.TAG), rows=[call_row("a", DOLLAR)])
    asyncio.run(made.begun())
    assert spent(made) == {}


def test_what_a_killed_gateway_had_in_the_ledger_is_settled_by_the_next():
    store, day = MemoryHolds(), daily("5")
    before = kept(day, holds=store)
    asyncio.run(before.begun())
    asyncio.run(admit(before, CALL, 4 * DOLLAR))
    asyncio.run(admit(before, replace(CALL, id="unseen"), DOLLAR))
    after = kept(day, holds=store, rows=[call_row("c1", DOLLAR)])
    asyncio.run(after.begun())
    assert spent(after) == {"": (DOLLAR, DOLLAR)}


def test_a_hold_that_expired_is_settled_when_the_ledger_knows_its_end():
    store, day = MemoryHolds(), daily("5")
    before = kept(day, holds=store)
    asyncio.run(before.begun())
    asyncio.run(admit(before, CALL, 4 * DOLLAR))
    after = kept(day, holds=store, rows=[call_row("c1", DOLLAR)])
    after.holding.clock.at = NOW + LIFE + 1
    asyncio.run(after.tidied())
    assert spent(after) == {"": (DOLLAR, 0)}


def test_holds_of_calls_under_way_are_renewed():
    made = kept(daily("5"))
    asyncio.run(made.begun())
    asyncio.run(admit(made, CALL, DOLLAR))
    for _ in range(5):
        made.holding.clock.at += LIFE - 1
        asyncio.run(made.tidied())
    assert spent(made) == {"": (0, DOLLAR)}


def test_an_emptied_store_gets_the_ledgers_sums_and_what_calls_under_way_hold():
    store, day = MemoryHolds(), daily("5")
    made = kept(day, holds=store, rows=[call_row("a", DOLLAR)])
    asyncio.run(made.begun())
    asyncio.run(admit(made, CALL, 3 * DOLLAR))
    made.holding.holds.holds = MemoryHolds()
    asyncio.run(admit(made, replace(CALL, id="c2"), DOLLAR))
    assert spent(made) == {"": (DOLLAR, 4 * DOLLAR)}


def test_a_ledger_that_cannot_be_read_is_a_store_that_cannot_be_asked(tmp_path):
    made = kept(daily("5"))
    made.engine.dispose()
    made.engine = SimpleNamespace(connect=broken)
    with pytest.raises(HoldsError, match="the ledger"):
        asyncio.run(made.restored([made.holding.budgets[0].series]))


def broken():
    from sqlalchemy.exc import OperationalError

    raise OperationalError("select", {}, Exception("locked"))


def test_each_threshold_is_told_once_and_noted():
    told = []
    made = kept(daily("10"), on_crossing=lambda crossing: told.append((crossing.budget, crossing.percent)))

    async def run():
        await made.begun()
        for name, amount in (("a", 4), ("b", 2), ("c", 1), ("d", 3)):
            await admit(made, replace(CALL, id=name), amount * DOLLAR)
            made.holding.settle(name, amount * DOLLAR)
            await made.look()
        await made.look()

    asyncio.run(run())
    assert told == [("day", 50), ("day", 80), ("day", 100)]
    first = made.holding.status.snapshot()["budgets"]["crossings"][0]
    assert (first["budget"], first["percent"], first["spent_pico"]) == ("day", 100, 10 * DOLLAR)
    assert first["words"] == "100 % of the budget 'day' is spent: $10.00 of $10.00."


def test_an_alert_that_fails_stops_nothing():
    made = kept(daily("1"), on_crossing=lambda *_: 1 // 0)

    async def run():
        await made.begun()
        await admit(made, CALL, DOLLAR)
        made.holding.settle("c1", DOLLAR)
        await made.look()

    asyncio.run(run())
    assert made.holding.status.snapshot()["faults"][0]["component"] == "alerts"
    assert len(made.told) == 3


def test_it_looks_by_itself_while_it_runs_and_closes_the_store():
    told, closed = [], []
    store = MemoryHolds()
    store.close = lambda: closed.append(1)
    made = kept(daily("1"), holds=store, on_crossing=lambda *_: told.append(1))

    async def run():
        async with made.kept():
            await admit(made, CALL, DOLLAR)
            made.holding.settle("c1", DOLLAR)
            async with asyncio.timeout(10):
                while not told:
                    await asyncio.sleep(0.01)
            await admit(made, replace(CALL, id="c2"), 0)

    asyncio.run(run())
    assert closed


def test_a_store_that_fails_at_the_start_is_noted():
    class Down(MemoryHolds):
        def lacking(self, series):
            raise HoldsError(where="there", problem="gone")

    made = kept(daily("1"), holds=Down())

    async def run():
        async with made.kept():
            pass

    asyncio.run(run())
    assert "gone" in made.holding.status.snapshot()["faults"][0]["message"]


def test_the_ledger_is_waited_for_before_sums_are_taken(monkeypatch):
    waiting = iter([3, 1, 0, 0])
    made = kept(daily("5"), rows=[call_row("a", DOLLAR)], health=lambda: LedgerHealth("ok", next(waiting)))
    asyncio.run(made.begun())
    assert spent(made) == {"": (DOLLAR, 0)}


def test_a_conversations_last_model_is_known_from_the_ledger():
    row = call_row("a", DOLLAR, session="s", role="main", model_asked="opus", model_sent="haiku")
    made = kept(daily("5"), rows=[row])
    call = replace(CALL, identity=Identity(session="s", role=Role.MAIN))
    assert made.last_sent(call) == ("opus", "haiku")
    assert made.last_sent(CALL) is None
    assert made.holding.is_known("a")
    assert not made.holding.is_known("b")


def test_calls_without_a_price_count_at_the_dearest_rates():
    row = call_row("a", 0, unpriced="new", model_sent="new", input_tokens=1000, output_tokens=10)
    made = kept(daily("5", action=Action.WARN, window=window("calendar month")), rows=[row])
    asyncio.run(made.begun())
    ((amount, _),) = spent(made).values()
    rates = catalogue().dearest(NOW, provider="anthropic")
    assert amount == 1000 * rates.dearest_prompt + 10 * rates.output
    past = PastCall(subject=Subject(model="new"), at=NOW, amount=amount)
    assert [each.amount for each in bookings(made.holding.budgets[0], [past])] == [amount]
