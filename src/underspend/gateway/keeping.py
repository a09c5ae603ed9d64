"""Keeping the store of holds while a gateway runs: restored from the ledger, renewed, tidied, its thresholds told."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from underspend.core import budget_words
from underspend.core.budgets import Budget, Crossing, PastCall, Scope, bookings, crossings, needed_since
from underspend.core.call import Call
from underspend.core.holds import HoldsError
from underspend.core.money import Money
from underspend.core.ports import LedgerHealth
from underspend.core.windows import SECOND, Kind
from underspend.gateway.holding import Holding
from underspend.pricing.catalogue import Catalogue
from underspend.stores import past_calls

_SETTLED_AGAIN = 1_000
_SOON = 0.05
_FLUSHED = 2.0
_TOLD = 20
_PARTS = 3
"""A hold is renewed so often in its life."""


@dataclass(slots=True, kw_only=True)
class Keeper:
    """Keeps the store of one gateway's holding. `life` is how long a hold lasts, in microseconds.

    `health` is the ledger's: what waits to be written there is waited for before sums are taken from it. Each threshold
    that is passed is noted for `underspend status`, and handed to `on_crossing`.
    """

    holding: Holding
    engine: Engine
    catalogue: Catalogue
    life: int
    health: Callable[[], LedgerHealth] = lambda: LedgerHealth("ok", 0)
    on_crossing: Callable[[Crossing], None] | None = None
    told: deque[tuple[Budget, Crossing, int]] = field(default_factory=lambda: deque(maxlen=_TOLD))
    _awake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Be asked by the holding."""
        self.holding.restore = self.restored
        self.holding.wake, self.holding.tell = self._awake.set, self.tell
        self.holding.is_known = self._is_known
        self.holding.status.budgets = self.snapshot

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """While inside, the store is kept; at the end it is told what is left and closed."""
        with self._noted():
            await self.begun()
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(self._keep())
            try:
                yield
            finally:
                keeping.cancel()
        with self._noted():
            await self.holding.holds.end_late()
            await self.look()
        await self.holding.holds.close()

    async def begun(self) -> None:
        """Settle what a killed gateway could not say any more, and restore what the store does not have."""
        await self._flushed()
        ended = await asyncio.to_thread(past_calls.last_ended, self.engine, self._unpriced, limit=_SETTLED_AGAIN)
        await self._settled_again(dict(ended))
        holds = self.holding.holds
        series = [each.series for each in self.holding.budgets if each.window.kind is not Kind.REQUEST]
        lacking = await holds.in_thread(lambda: holds.holds.lacking(series))
        if lacking:
            await self.restored(lacking)

    async def restored(self, series: Sequence[str]) -> None:
        """Fill series from the ledger, and hold again what calls under way held. Raises HoldsError."""
        await self._flushed()
        holds, now = self.holding.holds, self.holding.clock.now()
        wanted = [each for each in self.holding.budgets if each.series in set(series)]
        await holds.in_thread(lambda: self._restore(wanted, now))
        for call, (amount, claims) in holds.under_way.items():
            again = tuple(replace(each, enforced=False) for each in claims)
            await holds.reserve(call, again, amount)

    def _restore(self, wanted: Sequence[Budget], now: int) -> None:
        try:
            past = list(self._past(needed_since(wanted, now)))
        except SQLAlchemyError as error:
            raise HoldsError(where="the ledger", problem=f"{type(error).__name__}: it cannot be read") from error
        for budget in wanted:
            counted = () if budget.scope is Scope.TAG else bookings(budget, past)  # the ledger keeps no tags
            self.holding.holds.holds.restore(budget.series, counted, now=now)

    def _past(self, since: int) -> Iterator[PastCall]:
        return past_calls.past_calls(self.engine, since, self._unpriced, subscription=self.holding.subscription)

    async def _keep(self) -> None:
        every = self.life / SECOND / _PARTS
        while True:
            with self._noted():
                await self.tidied()
            end = asyncio.get_running_loop().time() + every
            while (left := end - asyncio.get_running_loop().time()) > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._awake.wait(), left)
                    await asyncio.sleep(_SOON)  # many calls end at once: their accounts are looked at together
                    with self._noted():
                        await self.look()

    async def tidied(self) -> None:
        """Keep the holds of calls under way, say again what was not heard, settle what only the ledger knows."""
        holds = self.holding.holds
        await holds.end_late()
        await holds.renew()
        now = self.holding.clock.now()
        stray = await holds.in_thread(lambda: holds.holds.expire(now=now))
        alive = holds.under_way
        lost = [call for call in stray if call not in alive]
        if lost:
            known = await asyncio.to_thread(past_calls.amounts, self.engine, lost, self._unpriced)
            await self._settled_again(known)

    async def _settled_again(self, ended: dict[str, Money]) -> None:
        """Tell the store what calls cost of which it may still have holds; it does nothing about others."""
        holds, now = self.holding.holds, self.holding.clock.now()

        def tell() -> None:
            for call, amount in ended.items():
                holds.holds.settle(call, amount, now=now)

        await holds.in_thread(tell)

    async def look(self) -> None:
        """Tell of thresholds that were passed in accounts where something was spent."""
        self._awake.clear()
        touched, self.holding.touched = self.holding.touched, {}
        if not touched:
            return
        if self.holding.holds.late:
            self.holding.touched = dict(touched)  # what was spent last is not in the sums yet
        holds, now = self.holding.holds, self.holding.clock.now()
        pairs = list(touched.values())
        standings = await holds.standings([claim for _, claim in pairs])
        for (budget, claim), standing in zip(pairs, standings, strict=True):
            for each in crossings(budget, claim, standing, now):
                first = partial(holds.holds.tell, each.account, each.percent, now=now, until=each.until)
                if await holds.in_thread(first):
                    self.tell(budget, each)

    def tell(self, budget: Budget, crossing: Crossing) -> None:
        """Note a threshold that was passed, and tell whoever listens."""
        self.told.append((budget, crossing, self.holding.clock.now()))
        if self.on_crossing is not None:
            try:
                self.on_crossing(crossing)
            except Exception as error:  # noqa: BLE001  # fail open: an alert that cannot be sent stops nothing
                self.holding.status.fault("alerts", f"{type(error).__name__}: {error}")

    def last_sent(self, call: Call) -> tuple[str, str] | None:
        """The model that a conversation's last call asked for and the one it got, from the ledger."""
        who = call.identity
        if who.session is None:
            return None
        with suppress(SQLAlchemyError):
            return past_calls.last_sent(self.engine, who.session[:128], who.agent, who.role.value)
        return None

    def snapshot(self) -> dict[str, object]:
        """For `Status`: how many ends the store does not know yet, and the thresholds told last."""
        return {
            "late": self.holding.holds.late,
            "crossings": [
                {
                    "budget": crossing.budget,
                    "percent": crossing.percent,
                    "spent_pico": crossing.spent,
                    "cap_pico": crossing.cap,
                    "at": at,
                    "words": budget_words.told(budget, crossing),
                }
                for budget, crossing, at in reversed(self.told)
            ],
        }

    def _is_known(self, call: str) -> bool:
        with suppress(SQLAlchemyError):
            return bool(past_calls.amounts(self.engine, [call], self._unpriced))
        return False

    async def _flushed(self) -> None:
        """Wait until the ledger has what it was told, but not for long."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _FLUSHED
        while self.health().waiting and loop.time() < end:  # noqa: ASYNC110  # the ledger's writer sets no event
            await asyncio.sleep(_SOON)

    def _unpriced(self, provider: str, prompt: int, output: int) -> Money:
        rates = self.catalogue.dearest(self.holding.clock.now(), provider=provider)
        return prompt * rates.dearest_prompt + output * (rates.output or 0)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """What the store or the ledger cannot do is noted: it is tried again."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # fail open: whatever it is, it is tried again
            self.holding.status.fault("budgets", f"{type(error).__name__}: {error}".splitlines()[0])
