"""Each store against a plain model, whatever is done in whatever order, restarts included."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from stores.holds.servers import KINDS, Server, fresh, opened
from underspend.core.budgets import Action, Budget, PastCall, Subject, bookings, claims
from underspend.core.holds import Claim, Override, Refused, Reserved
from underspend.core.windows import DAY, HOUR, MINUTE, window

START = 1_790_000_000_000_000
LIFE = 3 * MINUTE
BUDGETS = (
    Budget(name="day", cap=1_000, window=window("calendar day"), action=Action.BLOCK),
    Budget(name="hour", cap=400, window=window("rolling hour"), action=Action.BLOCK),
    Budget(name="session", cap=500, window=window("session"), action=Action.BLOCK),
    Budget(name="soft", cap=300, window=window("calendar hour"), action=Action.WARN),
)
SUBJECTS = tuple(Subject(model="m", session=session, key="k") for session in ("one", "two", None))


@dataclass
class ModelHold:
    claims: tuple[Claim, ...]
    amount: int
    expires: int
    is_open: bool = True
    subject: Subject = SUBJECTS[0]
    at: int = 0


@dataclass
class Model:
    """What a store should say, in the plainest way."""

    holds: dict[str, ModelHold] = field(default_factory=dict)
    spent: defaultdict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    ledger: list[PastCall] = field(default_factory=list)
    overrides: dict[str, Override] = field(default_factory=dict)

    def cap(self, claim: Claim, now: int) -> int | None:
        change = self.overrides.get(claim.budget)
        if change is None or change.until <= now:
            return claim.cap
        return None if change.cap is None else max(claim.cap, change.cap)

    def stands(self, claim: Claim, now: int) -> tuple[int, int]:
        spent = sum(
            amount
            for (account, bucket), amount in self.spent.items()
            if account == claim.account and claim.since <= bucket < claim.until
        )
        held = sum(
            hold.amount
            for hold in self.holds.values()
            if hold.is_open and hold.expires > now
            for each in hold.claims
            if each.account == claim.account and claim.since <= each.bucket < claim.until
        )
        return spent, held

    def fits(self, claim: Claim, amount: int, now: int) -> bool:
        cap = self.cap(claim, now)
        return cap is None or not claim.enforced or sum(self.stands(claim, now)) + amount <= cap

    def book(self, hold: ModelHold, amount: int) -> None:
        hold.is_open = False
        self.ledger.append(PastCall(subject=hold.subject, at=hold.at, amount=amount))
        for claim in hold.claims:
            self.spent[claim.account, claim.bucket] += amount


class HoldsMachine(RuleBasedStateMachine):
    kind = "memory"
    server: Server | None = None

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="us-model-"))
        assert self.server is not None
        self._fresh = fresh(self.kind, self.folder, self.server)
        self.place = self._fresh.__enter__()
        self.model, self.now, self.count = Model(), START, 0
        self.store = opened(self.kind, self.place)
        self._restore()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self._fresh.__exit__(None, None, None)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _restore(self) -> None:
        for budget in BUDGETS:
            self.store.restore(budget.series, bookings(budget, self.model.ledger), now=self.now)

    def _pick(self, data: st.DataObject) -> str:
        recent = [name for name, hold in self.model.holds.items() if self.now - hold.at < DAY // 2]
        return data.draw(st.sampled_from(recent)) if recent else "never"

    @rule(subject=st.sampled_from(SUBJECTS), amount=st.integers(0, 300))
    def reserve(self, subject: Subject, amount: int) -> None:
        self.count += 1
        name, asked = f"call{self.count}", claims(BUDGETS, subject, self.now)
        for hold in self.model.holds.values():
            if hold.expires <= self.now and {c.account for c in hold.claims} & {c.account for c in asked}:
                hold.expires = 0
        full = [each.account for each in asked if not self.model.fits(each, amount, self.now)]
        answer = self.store.reserve(name, asked, amount, now=self.now, expires=self.now + LIFE)
        if full:
            assert isinstance(answer, Refused)
            assert [each.account for each in answer.full] == full
            return
        assert isinstance(answer, Reserved)
        self.model.holds[name] = ModelHold(asked, amount, self.now + LIFE, subject=subject, at=self.now)
        for claim, standing in zip(asked, answer.standings, strict=True):
            assert (standing.spent, standing.held) == self.model.stands(claim, self.now)
            if claim.enforced and standing.cap is not None:
                assert standing.used <= standing.cap

    @rule(data=st.data())
    def reserve_again(self, data: st.DataObject) -> None:
        name = self._pick(data)
        if name in self.model.holds:
            hold = self.model.holds[name]
            again = self.store.reserve(name, hold.claims, 10**9, now=self.now, expires=self.now + DAY)
            assert isinstance(again, Reserved)

    @rule(data=st.data(), share=st.integers(0, 120))
    def settle(self, data: st.DataObject, share: int) -> None:
        name = self._pick(data)
        hold = self.model.holds.get(name)
        is_new = hold is not None and hold.is_open
        amount = 0 if hold is None else hold.amount * share // 100
        assert self.store.settle(name, amount, now=self.now) is is_new
        if hold is not None and is_new:
            self.model.book(hold, amount)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = self._pick(data)
        hold = self.model.holds.get(name)
        is_new = hold is not None and hold.is_open
        assert self.store.release(name, now=self.now) is is_new
        if hold is not None:
            hold.is_open = False

    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        name = self._pick(data)
        hold = self.model.holds.get(name)
        lives = hold is not None and hold.is_open and hold.expires > self.now
        assert self.store.renew((name,), now=self.now, expires=self.now + LIFE) == ((name,) if lives else ())
        if hold is not None and lives:
            hold.expires = max(hold.expires, self.now + LIFE)

    @rule(by=st.sampled_from((1, MINUTE, LIFE, 20 * MINUTE, HOUR, 7 * HOUR, DAY)))
    def wait(self, by: int) -> None:
        self.now += by

    @rule()
    def sweep(self) -> None:
        expired = self.store.expire(now=self.now)
        recent = {name for name, hold in self.model.holds.items() if hold.is_open and hold.expires <= self.now}
        assert set(expired) <= recent
        assert {name for name in recent if self.model.holds[name].expires + DAY > self.now} <= set(expired)

    @rule(
        budget=st.sampled_from(("day", "hour", "session")),
        cap=st.one_of(st.none(), st.integers(0, 2_000)),
        life=st.sampled_from((MINUTE, HOUR, DAY)),
    )
    def override(self, budget: str, cap: int | None, life: int) -> None:
        change = Override(budget, cap, self.now + life)
        self.store.override(change)
        self.model.overrides[budget] = change

    @rule(budget=st.sampled_from(("day", "hour", "session")))
    def withdraw(self, budget: str) -> None:
        self.store.withdraw(budget)
        self.model.overrides.pop(budget, None)

    @precondition(lambda self: self.kind != "memory")
    @rule()
    def restart(self) -> None:
        """A store outlives the process, so restoring it again changes nothing."""
        self.store.close()
        self.store = opened(self.kind, self.place)
        self._restore()

    @precondition(lambda self: self.kind == "memory")
    @rule()
    def restart_from_the_ledger(self) -> None:
        """What was in flight is gone with the process; what was billed is in the ledger."""
        self.store = opened(self.kind, self.place)
        self._restore()
        for hold in self.model.holds.values():
            hold.is_open = False
        self.model.holds.clear()
        for change in self.model.overrides.values():
            self.store.override(change)

    @invariant()
    def it_stands_as_the_model_does(self) -> None:
        if not hasattr(self, "store"):
            return
        asked = [claim for subject in SUBJECTS for claim in claims(BUDGETS, subject, self.now)]
        for claim, standing in zip(asked, self.store.standings(asked, now=self.now), strict=True):
            assert standing.cap == self.model.cap(claim, self.now)
            assert (standing.spent, standing.held) == self.model.stands(claim, self.now), claim


@pytest.fixture(params=KINDS)
def machine(request: pytest.FixtureRequest, server: Server) -> type[HoldsMachine]:
    return type("Machine", (HoldsMachine,), {"kind": request.param, "server": server})


def test_a_store_does_what_the_model_does(machine: type[HoldsMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
