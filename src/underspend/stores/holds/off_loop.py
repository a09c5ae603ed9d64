"""Holds for an event loop: what waits does so in a thread, and what fails at a call's end is tried again."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from underspend.core.holds import Answer, Claim, Holds, HoldsError, Reserved, Standing
from underspend.core.money import Money

T = TypeVar("T")
_THREADS = 4


class OffLoop:
    """A store of holds as a gateway uses it. `clock` gives microseconds since the epoch.

    It knows which calls of this process are under way: `renew` keeps their holds, and `end_late` settles those whose
    end the store did not take at once. Nothing but `reserve`, `standings`, `renew` and `end_late` may be awaited by a
    call; `settle` and `release` return at once.
    """

    def __init__(self, holds: Holds, *, clock: Callable[[], int], hold_for: int) -> None:
        self.holds = holds
        self._clock = clock
        self._hold_for = hold_for
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="holds") if holds.waits else None
        self._under_way: dict[str, tuple[Money, tuple[Claim, ...]]] = {}
        self._late: dict[str, Money | None] = {}
        self._ending: dict[str, Future[None]] = {}

    @property
    def late(self) -> int:
        """How many calls have ended without the store knowing it yet."""
        return len(self._late)

    @property
    def under_way(self) -> dict[str, tuple[Money, tuple[Claim, ...]]]:
        """The calls that hold something, with how much of what: to hold them again in a store that was emptied."""
        return dict(self._under_way)

    async def reserve(self, call: str, claims: Sequence[Claim], amount: Money) -> Answer:
        """As `Holds.reserve`. A caller that is cancelled while it waits leaves no hold behind."""
        now = self._clock()

        def ask() -> Answer:
            return self.holds.reserve(call, claims, amount, now=now, expires=now + self._hold_for)

        if self._pool is None:
            answer = ask()
        else:
            asked = self._pool.submit(ask)
            try:
                answer = await asyncio.wrap_future(asked)
            except asyncio.CancelledError:
                # The thread goes on; whatever it has got by then is given back.
                asked.add_done_callback(lambda _: self.release(call))
                raise
        if isinstance(answer, Reserved):
            self._under_way[call] = (amount, tuple(claims))
        return answer

    def track(self, call: str, claims: Sequence[Claim]) -> None:
        """A call that goes on without a hold: what it costs is booked under these claims when it is settled."""
        self._under_way[call] = (0, tuple(claims))

    async def ended(self, call: str) -> None:
        """Wait until the store was told of a call's end; at once where it was."""
        ending = self._ending.get(call)
        if ending is not None:
            await asyncio.wait([asyncio.wrap_future(ending)])

    async def drained(self) -> None:
        """Wait until the store was told of every end so far."""
        if ending := [asyncio.wrap_future(each) for each in list(self._ending.values())]:
            await asyncio.wait(ending)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Ask the store something else (`work` uses `holds`), where it may wait."""
        return await self._ask(work)

    async def standings(self, claims: Sequence[Claim]) -> tuple[Standing, ...]:
        """As `Holds.standings`."""
        return await self._ask(lambda: self.holds.standings(claims, now=self._clock()))

    async def renew(self) -> tuple[str, ...]:
        """Keep the holds of calls under way; those that had run out. To be done a few times per life of a hold."""
        calls = tuple(self._under_way)
        if not calls:
            return ()
        now = self._clock()
        alive = set(await self._ask(lambda: self.holds.renew(calls, now=now, expires=now + self._hold_for)))
        return tuple(call for call in calls if call not in alive and call in self._under_way)

    def settle(self, call: str, amount: Money) -> None:
        """Book what a call cost. Returns at once and never raises."""
        self._finish(call, amount)

    def release(self, call: str) -> None:
        """Let go of a call of which nothing was spent. Returns at once and never raises."""
        self._finish(call, None)

    async def end_late(self) -> int:
        """Tell the store again what it did not take; how many ends it still does not know."""
        for call, amount in list(self._late.items()):
            await self._ask(functools.partial(self._tell, call, amount))
        return len(self._late)

    async def close(self) -> None:
        """Wait for what is under way in threads, and let go of the store."""
        if self._pool is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._pool.shutdown)
        self.holds.close()

    def _finish(self, call: str, amount: Money | None) -> None:
        self._late[call] = amount
        if self._pool is None:
            self._tell(call, amount)
            return
        with contextlib.suppress(RuntimeError):  # the pool is closed: the hold expires, and the ledger has the amount
            self._ending[call] = ending = self._pool.submit(self._tell, call, amount)
            ending.add_done_callback(lambda _: self._ending.pop(call, None))

    def _tell(self, call: str, amount: Money | None) -> None:
        claims = self._under_way.get(call, (0, ()))[1]
        with contextlib.suppress(HoldsError):
            if amount is None:
                self.holds.release(call, now=self._clock())
            else:
                self.holds.settle(call, amount, now=self._clock(), claims=claims)
            self._late.pop(call, None)
            self._under_way.pop(call, None)

    async def _ask(self, work: Callable[[], T]) -> T:
        if self._pool is None:
            return work()
        return await asyncio.wrap_future(self._pool.submit(work))
