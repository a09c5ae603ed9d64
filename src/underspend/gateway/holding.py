"""Holding calls to budgets: what a call could cost is reserved before it is sent, and settled when it has ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from underspend.core import budget_words
from underspend.core.budgets import (
    Action,
    AtCap,
    Budget,
    Crossing,
    Scope,
    claims,
    over_request,
    requests,
    subject_of,
    to_reserve,
)
from underspend.core.call import BillingMode, Call, Identity
from underspend.core.edits import RefusalKind, Refuse, Warn
from underspend.core.holds import Answer, Claim, HoldsError, HoldsLostError, Refused, Standing
from underspend.core.money import Money
from underspend.core.plan import Decision, Plan
from underspend.core.ports import Clock
from underspend.core.tighter import tighter
from underspend.core.windows import FOREVER
from underspend.gateway.status import Status
from underspend.stores.holds.off_loop import OffLoop

NAME = "budget"
"""Stands for a strategy's name in decisions of budgets."""

_KINDS = 1_000
_PERCENT = 100
_LEARNED_FROM = 500
_COUNTED = frozenset({"messages", "post", "batch_result"})

Restore = Callable[[Sequence[str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Admitted:
    """The call may go. `ends_at` is the request budget at whose cap its reply is to be ended, None where at none."""

    plan: Plan
    ends_at: Budget | None = None


@dataclass(frozen=True, slots=True)
class Breach:
    """The call may not go: `words` are for its user, `plan` says the same for the ledger."""

    plan: Plan
    budget: str
    words: str


@dataclass(frozen=True, slots=True)
class _Open:
    """A call under way: what it claims, the request budgets it falls under, what it could cost."""

    claims: tuple[Claim, ...]
    singles: tuple[Budget, ...]
    most: Money
    kind: str


async def _nothing(_: Sequence[str]) -> None: ...


@dataclass(slots=True, kw_only=True)
class Holding:
    """The budgets of one gateway.

    `restore` fills series that the store has lost. With `subscription`, calls of a subscription's login count too.
    With `learned`, less than the worst case is held (`core.tighter`). Accounts whose thresholds are to be looked at are
    in `touched`; a request that passed its own is told to `tell`. Both are for whoever keeps the store (`keeping`).
    `is_known` is whether the ledger has a call's end already.
    """

    budgets: tuple[Budget, ...]
    holds: OffLoop
    status: Status
    clock: Clock
    subscription: bool = False
    learned: bool = False
    restore: Restore = _nothing
    tell: Callable[[Budget, Crossing], None] = lambda *_: None
    wake: Callable[[], None] = lambda: None
    is_known: Callable[[str], bool] = lambda _: False
    touched: dict[str, tuple[Budget, Claim]] = field(default_factory=dict)
    _open: dict[str, _Open] = field(default_factory=dict)
    _past: dict[str, deque[tuple[Money, Money]]] = field(default_factory=dict)
    _named: dict[str, Budget] = field(init=False)

    def __post_init__(self) -> None:
        """Know the budgets by name."""
        self._named = {budget.name: budget for budget in self.budgets}

    def counts(self, call: Call) -> bool:
        """Whether a call is one that budgets count: neither a count of tokens nor, unless asked for, a plan's."""
        on_plan = call.identity.billing is BillingMode.OAUTH and not self.subscription
        return call.endpoint in _COUNTED and not on_plan

    async def admit(self, plan: Plan, most: Money | None, *, can_end: bool = False) -> Admitted | Breach:
        """Hold what the planned call could cost, or say why it may not go.

        `most` is its worst case, None where that cannot be known: such a call is not sent where a budget blocks.
        `can_end` is whether its reply could be ended at a cap.
        """
        call = plan.call
        if not self.counts(call):
            return Admitted(plan)
        subject = subject_of(call)
        asked, singles = claims(self.budgets, subject, call.time), requests(self.budgets, subject)
        if not asked and not singles:
            return Admitted(plan)
        try:
            if most is None:
                return await self._unknown(plan, asked, singles)
            return await self._held(plan, _Open(asked, singles, most, call.kind), can_end=can_end)
        except HoldsError as error:
            return self._unavailable(plan, asked, singles, str(error))

    async def _held(self, plan: Plan, wanted: _Open, *, can_end: bool) -> Admitted | Breach:
        call, most = plan.call, wanted.most
        blocking = [each for each in wanted.singles if each.is_enforced]
        ending = [each for each in blocking if each.at_cap is AtCap.END and can_end]
        single = over_request([each for each in blocking if each not in ending], most)
        single = await self._in_force(single, most)
        if single is not None:
            return _breach(plan, single, budget_words.request_breach(replace(single, at_cap=AtCap.REFUSE), most))
        ends_at = await self._in_force(over_request(ending, most), most)
        amount = to_reserve([ends_at] if ends_at is not None else [], self._reserve(most, call.kind))
        if wanted.claims:
            answer = await self._answer(call.id, wanted.claims, amount)
            if isinstance(answer, Refused):
                full = answer.full[0]
                self._note(wanted.claims)
                words = budget_words.breach(self._named[full.budget], full, amount, self.clock.now())
                return _breach(plan, self._named[full.budget], words)
            plan = self._warned(plan, answer.standings)
        self._open[call.id] = wanted
        return Admitted(plan, ends_at)

    def _reserve(self, most: Money, kind: str) -> Money:
        return tighter(most, list(self._past.get(kind, ()))) if self.learned else most

    async def _answer(self, call: str, asked: Sequence[Claim], amount: Money) -> Answer:
        try:
            answer = await self.holds.reserve(call, asked, amount)
        except HoldsLostError as lost:
            await self.restore(lost.series)
            return await self.holds.reserve(call, asked, amount)
        if isinstance(answer, Refused) and self.holds.late and any(each.held for each in answer.full):
            await self.holds.drained()  # a client may call again before the store knows that its last call has ended
            return await self.holds.reserve(call, asked, amount)
        return answer

    async def _in_force(self, budget: Budget | None, most: Money) -> Budget | None:
        """A request budget that this much would pass, with the cap that it has now; None where it would not."""
        if budget is None:
            return None
        changes = await self.holds.in_thread(lambda: self.holds.holds.overrides(now=self.clock.now()))
        change = next((each for each in changes if each.target == budget.name), None)
        if change is None:
            return budget
        cap = None if change.cap is None else max(budget.cap, change.cap)
        return None if cap is None or most <= cap else replace(budget, cap=cap)

    async def _unknown(self, plan: Plan, asked: tuple[Claim, ...], singles: tuple[Budget, ...]) -> Admitted | Breach:
        """A call of which nobody can say what it could cost."""
        for budget in self._blocking(asked, singles):
            if await self._is_enforced_now(budget):
                return _breach(plan, budget, budget_words.unknown(budget))
        return self._go_on(plan, asked, singles)

    async def _is_enforced_now(self, budget: Budget) -> bool:
        """Whether a budget that blocks is not paused."""
        changes = await self.holds.in_thread(lambda: self.holds.holds.overrides(now=self.clock.now()))
        return all(each.cap is not None for each in changes if each.target == budget.name)

    def _unavailable(
        self, plan: Plan, asked: tuple[Claim, ...], singles: tuple[Budget, ...], problem: str
    ) -> Admitted | Breach:
        """The store cannot be asked: only a budget that blocks stops the call."""
        self.status.fault("budgets", problem)
        blocking = self._blocking(asked, singles)
        if blocking:
            return _breach(plan, blocking[0], budget_words.unavailable(blocking[0], problem.rstrip(".")))
        return self._go_on(plan, asked, singles)

    def failed(self, plan: Plan, error: Exception) -> Admitted | Breach:
        """What becomes of a call when something here failed that should not: a budget that blocks stops it."""
        self.status.fault("budgets", f"{type(error).__name__}: {error}")
        blocking = next((budget for budget in self.budgets if budget.is_enforced), None)
        if blocking is None:
            return Admitted(plan)
        return _breach(plan, blocking, budget_words.unavailable(blocking, "it failed; see underspend status"))

    def _go_on(self, plan: Plan, asked: tuple[Claim, ...], singles: tuple[Budget, ...]) -> Admitted:
        self.holds.track(plan.call.id, asked)
        self._open[plan.call.id] = _Open(asked, singles, 0, plan.call.kind)
        return Admitted(plan)

    def _blocking(self, asked: Sequence[Claim], singles: Sequence[Budget]) -> list[Budget]:
        listed = [*(self._named[each.budget] for each in asked if each.enforced), *singles]
        return [each for each in listed if each.is_enforced]

    def _warned(self, plan: Plan, standings: Sequence[Standing]) -> Plan:
        """The plan with a word of every budget that is used up and does not block."""
        if any(each.strategy == NAME for each in plan.decisions):
            return plan  # it went to another model, and that says it
        used_up = [each for each in standings if each.cap is not None and each.spent >= each.cap]
        said = [
            Decision(
                strategy=NAME,
                edit=Warn(budget_words.warning(self._named[each.budget], each)),
                applied=True,
                before=None,
                after=None,
            )
            for each in used_up
            if not self._named[each.budget].is_enforced
        ]
        return replace(plan, decisions=(*plan.decisions, *said)) if said else plan

    def settle(self, call: str, amount: Money, *, sent: bool = True) -> None:
        """Book what a call cost, or let go of one that was not sent. Returns at once, and never raises."""
        known = self._open.pop(call, None)
        if known is None:
            return
        if not sent and not amount:
            if known.claims:
                self.holds.release(call)
            return
        if known.most:
            self._learn(known, amount)
        for budget in known.singles:
            self._single(budget, call, amount)
        if known.claims:
            self.holds.settle(call, amount)
            self._note(known.claims)

    def book(self, call: Call, amount: Money) -> None:
        """Count, once, what something cost of which nothing was held: a result of a message batch."""
        if not self.counts(call) or self.is_known(call.id):
            return
        asked = claims(self.budgets, subject_of(call), call.time)
        self.holds.track(call.id, asked)
        self._open[call.id] = _Open(asked, (), 0, "")
        self.settle(call.id, amount)

    async def handed_over(self, call: str, amount: Money, *, sent: bool) -> None:
        """End a call's hold before another attempt's is asked for; returns when the store knows."""
        self.settle(call, amount, sent=sent)
        await self.holds.ended(call)

    async def bars_batches(self, identity: Identity) -> Budget | None:
        """The budget that blocks and may count a message batch, of which nothing could be held; None where none."""
        if identity.billing is BillingMode.OAUTH and not self.subscription:
            return None
        known = {Scope.ALL: "", Scope.PROJECT: identity.project, Scope.KEY: identity.key}
        for budget in self.budgets:
            is_anothers = budget.only is not None and budget.scope in known and known[budget.scope] != budget.only
            if budget.action is Action.BLOCK and not is_anothers and await self._is_barred(budget):
                return budget
        return None

    async def _is_barred(self, budget: Budget) -> bool:
        try:
            return await self._is_enforced_now(budget)
        except HoldsError as error:
            self.status.fault("budgets", str(error))
            return True

    def _learn(self, known: _Open, amount: Money) -> None:
        if not self.learned:
            return
        if known.kind not in self._past and len(self._past) >= _KINDS:
            del self._past[next(iter(self._past))]
        self._past.setdefault(known.kind, deque(maxlen=_LEARNED_FROM)).append((known.most, amount))

    def _single(self, budget: Budget, call: str, amount: Money) -> None:
        """Tell of a request that passed thresholds of its own budget: the highest of them."""
        reached = [each for each in budget.thresholds if amount * _PERCENT >= budget.cap * each]
        if reached:
            account = f"{budget.series}{call}"
            self.tell(budget, Crossing(budget.name, account, max(reached), amount, budget.cap, FOREVER))

    def _note(self, asked: Sequence[Claim]) -> None:
        """Remember accounts whose thresholds are to be looked at."""
        self.touched.update({each.account: (self._named[each.budget], each) for each in asked})
        self.wake()


def _breach(plan: Plan, budget: Budget, words: str) -> Breach:
    refusal = Refuse(RefusalKind.BUDGET, why=words)
    said = Decision(strategy=NAME, edit=refusal, applied=True, before=None, after=0)
    return Breach(replace(plan, decisions=(*plan.decisions, said), refusal=refusal), budget.name, words)
