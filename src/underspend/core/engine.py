"""Run strategies over a call. The gateway and the replay both call `run`: there is no second engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from underspend.core.call import THINKING, Call, Identity
from underspend.core.context import Context
from underspend.core.conversation import Conversation, name_of
from underspend.core.editing import apply, apply_all, as_priced
from underspend.core.edits import ContentEdit, Edit, Refuse, changes
from underspend.core.money import Money
from underspend.core.plan import Decision, Fault, Plan
from underspend.core.scopes import Scope
from underspend.core.strategy import State, Strategy


@dataclass(frozen=True, slots=True)
class Step:
    """A strategy and the state the user put it in; of `scopes` the first that fits a call has another for it."""

    strategy: Strategy
    state: State
    scopes: tuple[Scope, ...] = ()

    @property
    def is_on_somewhere(self) -> bool:
        """Whether it may act on any call."""
        return self.state is State.ON or any(scope.state is State.ON for scope in self.scopes)

    def state_for(self, who: Identity) -> State:
        """Its state for the calls of one caller."""
        return next((scope.state for scope in self.scopes if scope.fits(who)), self.state)


_MOST_CALLERS = 4_096


class Scoped:
    """Steps with the states that they have for a caller, worked out once for each project, key and agent role."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = tuple(steps)
        self._by_caller: dict[object, tuple[Step, ...]] | None = {} if any(step.scopes for step in steps) else None

    def of(self, who: Identity) -> tuple[Step, ...]:
        """The steps for this caller; the same object for equal ones. Without any scope those that were given."""
        if self._by_caller is None:
            return self._steps
        caller = who.project, who.key, who.role, who.agent_type
        found = self._by_caller.get(caller)
        if found is None:
            if len(self._by_caller) >= _MOST_CALLERS:
                self._by_caller.clear()
            found = tuple(Step(step.strategy, step.state_for(who)) if step.scopes else step for step in self._steps)
            self._by_caller[caller] = found
        return found


def observing(steps: Sequence[Step], *, limits: bool = True) -> tuple[Step, ...]:
    """The same strategies, none of which may act: what is on is in shadow. Without `limits`, those still hold."""
    return tuple(
        Step(step.strategy, State.SHADOW) if step.state is State.ON and (limits or step.strategy.edits) else step
        for step in steps
    )


def run(call: Call, steps: Sequence[Step], ctx: Context) -> Plan:
    """Ask each strategy in order and apply what it proposes when it is on.

    Edits of earlier calls to blocks that stand in this one are made again first, so that the prefix stays the one the
    provider has cached. Never raises: a strategy that fails is recorded as a fault and skipped with all its edits of
    this call. The first refusal by a strategy that is on ends the run.
    """
    asked, faults = call, list[Fault]()
    call, decisions = made_again(call, ctx.conversation)
    for step in steps:
        if step.state is State.OFF:
            continue
        try:
            edits = tuple(step.strategy.decide(call, ctx))
            call, taken = _take(step, edits, call, ctx)
        except Exception as error:  # noqa: BLE001  # fail open: a strategy may not cost the user a call
            name = getattr(step.strategy, "name", type(step.strategy).__name__)
            faults.append(Fault(f"strategy {name}", f"{type(error).__name__}: {error}"))
            continue
        decisions += taken
        refusal = _refusal(edits)
        if refusal is not None and step.state is State.ON:
            return Plan(asked=asked, call=call, decisions=tuple(decisions), faults=tuple(faults), refusal=refusal)
    return Plan(asked=asked, call=call, decisions=tuple(decisions), faults=tuple(faults))


def made_again(call: Call, known: Conversation) -> tuple[Call, list[Decision]]:
    """The call with the edits of earlier calls, whatever has become of their strategies since.

    A provider that binds its replies to their prompt refuses them behind another one.
    """
    kept = known.kept
    if not kept:
        return call, []
    edits: list[ContentEdit] = []
    decisions: list[Decision] = []
    for at, block in enumerate(call.blocks):
        found = kept.get(name_of(block)) if block.ref is not None or block.kind in THINKING else None
        if found is None:
            continue
        edit = replace(found.edit, at=at)
        edits.append(edit)
        decisions.append(
            Decision(strategy=found.strategy, edit=edit, applied=True, before=None, after=None, again=True)
        )
    return (apply_all(edits, call) if edits else call), decisions


def _take(step: Step, edits: Iterable[Edit], call: Call, ctx: Context) -> tuple[Call, list[Decision]]:
    on = step.state is State.ON
    decisions: list[Decision] = []
    for edit in edits:
        if not changes(edit, call):
            continue
        edited = apply(edit, call) if on else as_priced(edit, call)
        before = _price(call, ctx)
        after = 0 if isinstance(edit, Refuse) else _price(edited, ctx)
        decisions.append(Decision(strategy=step.strategy.name, edit=edit, applied=on, before=before, after=after))
        if on:
            call = edited
    return call, decisions


def _price(call: Call, ctx: Context) -> Money | None:
    try:
        return ctx.estimate(call)
    except Exception:  # noqa: BLE001  # a missing price may not stop a call; the ledger says unpriced
        return None


def _refusal(edits: Iterable[Edit]) -> Refuse | None:
    return next((edit for edit in edits if isinstance(edit, Refuse)), None)
