"""Which strategies run when, for whose calls: before a call is sent those that may act on it, the others afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from underspend.core.call import BillingMode, Identity, Role
from underspend.core.engine import Scoped, Step, observing
from underspend.core.strategy import State, Strategy
from underspend.gateway.holdout import NOBODY, Holdout

_ROUTER = "auto_model"
_MOST_CALLERS = 4_096


@dataclass(frozen=True, slots=True)
class Case:
    """The strategies as they stand to the calls of one caller.

    `before` run before a call is sent: `limits`, and what may edit it. `after` would edit it and may not: they run when
    the reply is out, so that no call waits for them. `acting` are those of `before` that edit, `router` is the router's
    state. Of `before` the first `place` stand before the router. `is_left_alone` is set where nothing may edit.
    """

    before: tuple[Step, ...]
    limits: tuple[Step, ...]
    after: tuple[Step, ...]
    acting: tuple[Strategy, ...]
    router: State
    place: int
    is_left_alone: bool


class States:
    """The cases there are, each worked out once.

    Calls on a subscription are left alone, held out ones, and the client's own side calls: some decide what is safe.

    With `routed` the router's own strategy is in no case: the router brings it along.
    """

    def __init__(
        self, steps: Sequence[Step], *, holdout: Holdout = NOBODY, on_plans: bool = False, routed: bool = False
    ) -> None:
        self._scoped = Scoped(steps)
        self._is_plain = not any(step.scopes for step in steps)
        self._holdout, self._on_plans, self._routed = holdout, on_plans, routed
        self._cases: dict[object, Case] = {}

    def of(self, who: Identity) -> Case:
        """The case of a caller's calls."""
        is_on_plan = who.billing is BillingMode.OAUTH and not self._on_plans
        is_left_alone = who.role is Role.SIDE or self._holdout.holds(who.session)
        left = 2 if is_on_plan else 1 if is_left_alone else 0
        key = left if self._is_plain else (left, who.project, who.key, who.role, who.agent_type)
        found = self._cases.get(key)
        if found is None:
            if len(self._cases) >= _MOST_CALLERS:
                self._cases.clear()
            found = self._cases[key] = self._case(who, left_alone=left > 0, is_on_plan=is_on_plan)
        return found

    def _case(self, who: Identity, *, left_alone: bool, is_on_plan: bool) -> Case:
        steps = self._scoped.of(who)
        router = next((step.state for step in steps if step.strategy.name == _ROUTER), State.OFF)
        if left_alone:
            steps = observing(steps, limits=is_on_plan)
        names = [step.strategy.name for step in steps]
        place = names.index(_ROUTER) if _ROUTER in names else 0
        rest = [(at, step) for at, step in enumerate(steps) if not (self._routed and step.strategy.name == _ROUTER)]
        before = [(at, step) for at, step in rest if not step.strategy.edits or step.state is State.ON]
        return Case(
            before=tuple(step for _, step in before),
            limits=tuple(step for _, step in before if not step.strategy.edits),
            after=tuple(step for _, step in rest if step.strategy.edits and step.state is State.SHADOW),
            acting=tuple(step.strategy for _, step in before if step.strategy.edits),
            router=router,
            place=sum(at < place for at, _ in before),
            is_left_alone=left_alone,
        )
