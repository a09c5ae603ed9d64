from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from underspend.core.holds import Answer, Claim, HoldsError, Refused, Reserved
from underspend.core.windows import FOREVER
from underspend.stores.holds.memory import MemoryHolds
from underspend.stores.holds.off_loop import OffLoop
from underspend.stores.holds.sqlite import SqliteHolds

CLAIM = Claim("b", "b|", "b|", 100, enforced=True, bucket=0, since=0, until=FOREVER, forget=FOREVER)


class Time:
    at = 1_000

    def __call__(self) -> int:
        return self.at


class Slow(MemoryHolds):
    """A store that waits, and can be made to fail."""

    waits = True

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.is_down = threading.Event(), False
        self.gate.set()

    def reserve(self, call: str, claims: Sequence[Claim], amount: int, *, now: int, expires: int) -> Answer:
        self.gate.wait(10)
        return super().reserve(call, claims, amount, now=now, expires=expires)

    def settle(self, call: str, amount: int, *, now: int, claims: Sequence[Claim] = ()) -> bool:
        if self.is_down:
            raise HoldsError(where="test", problem="down")
        return super().settle(call, amount, now=now, claims=claims)


async def until(holds: OffLoop, done: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if done():
            return
        await asyncio.sleep(0.005)
    pytest.fail(f"never: {holds.late} late")


def used(holds: OffLoop, now: int = 1_000) -> tuple[int, int]:
    (standing,) = holds.holds.standings((CLAIM,), now=now)
    return standing.spent, standing.held


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_it_does_what_the_store_does(kind: str, tmp_path: Path) -> None:
    async def run() -> None:
        store = MemoryHolds() if kind == "memory" else SqliteHolds(tmp_path / "holds.sqlite3")
        store.restore("b|", (), now=0)
        holds = OffLoop(store, clock=Time(), hold_for=60)
        assert isinstance(await holds.reserve("a", (CLAIM,), 60), Reserved)
        assert isinstance(await holds.reserve("b", (CLAIM,), 60), Refused)
        assert isinstance(await holds.reserve("c", (CLAIM,), 40), Reserved)
        assert list(holds.under_way) == ["a", "c"]
        assert (await holds.standings((CLAIM,)))[0].held == 100
        holds.settle("a", 10)
        holds.release("c")
        await until(holds, lambda: holds.late == 0)
        assert used(holds) == (10, 0)
        assert holds.under_way == {}
        await holds.close()
        holds.release("after the end")

    asyncio.run(run())


def test_holds_of_calls_under_way_are_renewed_and_those_that_ran_out_are_named() -> None:
    async def run() -> None:
        time, store = Time(), MemoryHolds()
        store.restore("b|", (), now=0)
        holds = OffLoop(store, clock=time, hold_for=60)
        assert await holds.renew() == ()
        await holds.reserve("a", (CLAIM,), 5)
        time.at += 50
        assert await holds.renew() == ()
        time.at += 50
        assert used(holds, time.at) == (0, 5)
        time.at += 10
        assert await holds.renew() == ("a",)

    asyncio.run(run())


def test_a_caller_that_is_cancelled_while_it_waits_leaves_no_hold() -> None:
    async def run() -> None:
        store = Slow()
        store.restore("b|", (), now=0)
        holds = OffLoop(store, clock=Time(), hold_for=60)
        store.gate.clear()
        waiting = asyncio.ensure_future(holds.reserve("a", (CLAIM,), 100))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        store.gate.set()
        await until(holds, lambda: "a" in store._calls and not store._calls["a"].is_open)
        assert used(holds) == (0, 0)
        await holds.close()

    asyncio.run(run())


def test_what_the_store_does_not_take_at_once_it_is_told_again() -> None:
    async def run() -> None:
        store = Slow()
        store.restore("b|", (), now=0)
        holds = OffLoop(store, clock=Time(), hold_for=60)
        await holds.reserve("a", (CLAIM,), 100)
        store.is_down = True
        holds.settle("a", 30)
        assert await holds.end_late() == 1
        assert list(holds.under_way) == ["a"], "its hold is kept while it is not booked"
        store.is_down = False
        assert await holds.end_late() == 0
        assert used(holds) == (30, 0)
        assert await holds.end_late() == 0
        await holds.close()

    asyncio.run(run())


def test_a_call_of_a_store_that_was_emptied_is_booked_under_its_claims() -> None:
    async def run() -> None:
        store = MemoryHolds()
        store.restore("b|", (), now=0)
        holds = OffLoop(store, clock=Time(), hold_for=60)
        await holds.reserve("a", (CLAIM,), 100)
        holds.holds = MemoryHolds()
        holds.settle("a", 30)
        assert used(holds) == (30, 0)

    asyncio.run(run())


def test_the_ends_under_way_can_be_waited_for(tmp_path: Path) -> None:
    async def run() -> None:
        holds = OffLoop(SqliteHolds(tmp_path / "h.db"), clock=Time(), hold_for=1_000)
        holds.holds.restore("b|", (), now=0)
        await holds.drained()
        await holds.ended("none")
        for name in ("c1", "c2"):
            assert isinstance(await holds.reserve(name, (CLAIM,), 50), Reserved)
        holds.settle("c1", 10)
        await holds.ended("c1")
        assert used(holds) == (10, 50)
        holds.release("c2")
        await holds.drained()
        assert (used(holds), holds.late) == ((10, 0), 0)
        assert await holds.in_thread(lambda: holds.holds.accounts("b|")) == ("b|",)
        await holds.close()

    asyncio.run(run())


def test_a_call_without_a_hold_is_booked_under_what_it_was_said_to_claim() -> None:
    async def run() -> None:
        holds = OffLoop(MemoryHolds(), clock=Time(), hold_for=1_000)
        holds.holds.restore("b|", (), now=0)
        holds.track("c1", (CLAIM,))
        holds.settle("c1", 10)
        assert used(holds) == (10, 0)

    asyncio.run(run())
