"""Going to a cheaper model where a budget is used up: by the router's rules, and never in the midst of a turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from underspend.core.budget_words import described
from underspend.core.budgets import Action, Budget, claims, over, over_request, requests, subject_of
from underspend.core.call import Call, Role
from underspend.core.editing import apply
from underspend.core.edits import Edit, ReplaceContent, SetEffort, SetModel
from underspend.core.plan import Decision, Plan
from underspend.core.ports import Pricing
from underspend.core.routing import can_lose_thinking, is_in_tool_loop, thinking_in
from underspend.formats.adaptation import obstacles
from underspend.gateway.acting import key_of
from underspend.gateway.asked import Asked
from underspend.gateway.holding import NAME, Holding
from underspend.pricing.capabilities import capabilities, tokens_elsewhere
from underspend.routing.beliefs import Arm
from underspend.routing.decisions import arm_of, may_be_routed

_MOST_TURNS = 4_096

Refuses = Callable[[Asked, Arm], str | None]
LastSent = Callable[[Call], tuple[str, str] | None]


@dataclass(frozen=True, slots=True)
class _Turn:
    """What a conversation's turn was begun with: the model it would have had, and the one it got."""

    planned: str
    got: Arm


@dataclass(slots=True, kw_only=True)
class Downgrading:
    """Budgets of the action "downgrade".

    `refuses` says why a call cannot be made to an arm of another provider, `why_not` what is known against a model of
    Anthropic's. `last_sent` is what the ledger knows of a conversation's last call: the model asked for and the one it
    got; it is asked after a restart only.
    """

    holding: Holding
    pricing: Pricing
    refuses: Refuses
    why_not: Callable[[Asked, str], str | None] = lambda asked, model: "; ".join(obstacles(asked.body or b"", model))
    last_sent: LastSent = lambda _: None
    budgets: tuple[Budget, ...] = field(init=False)
    _turns: OrderedDict[str, _Turn] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        """Take the budgets that go to another model."""
        self.budgets = tuple(each for each in self.holding.budgets if each.action is Action.DOWNGRADE)

    async def applied(self, asked: Asked, plan: Plan) -> Plan:
        """The plan, with another model where a budget is used up and that model can take the call.

        What cannot be read as a conversation (another dialect that goes on as it came) and the client's own side calls
        keep their model. Raises HoldsError.
        """
        call = plan.call
        if not asked.followed or not may_be_routed(call) or not self.holding.counts(call):
            return plan
        key = key_of(plan.asked)
        turn = self._turns.get(key) or self._before(plan)
        here = Arm(call.model, None, call.provider)
        if is_in_tool_loop(call.blocks):
            if turn is None or turn.planned != call.model or turn.got.model == call.model:
                return plan
            self._remember(key, turn)
            return self._made(plan, turn.got, "a turn keeps its model, which a budget chose", leaves=False)
        budget, arm = await self._chosen(asked, call)
        last = turn.got if turn is not None and turn.planned == call.model else here
        leaves = (arm or here).model != last.model
        if leaves and not can_lose_thinking(call.blocks, thinking_in(call.blocks)):
            budget, arm, leaves = None, (last if last.model != call.model else None), False
        self._remember(key, _Turn(call.model, arm or here))
        if arm is None and not leaves:
            return plan
        why = "the budget has room again" if budget is None else f"the budget of {described(budget)} has no room for it"
        return self._made(plan, arm, why, leaves=leaves)

    def _before(self, plan: Plan) -> _Turn | None:
        """The turn as the ledger has it, of a conversation that this gateway has not seen since it was started."""
        if not any(block.role == "assistant" for block in plan.call.blocks):
            return None
        found = self.last_sent(plan.asked)
        if found is None or found[0] == found[1]:
            return None
        arm = next((arm for each in self.budgets if (arm := self._arm(each)).model == found[1]), None)
        return None if arm is None else _Turn(found[0], arm)

    def _arm(self, budget: Budget) -> Arm:
        return arm_of(budget.downgrade_to)

    async def _chosen(self, asked: Asked, call: Call) -> tuple[Budget | None, Arm | None]:
        """The first budget that is used up and has a model that can take the call, and that model."""
        for budget in await self._used_up(call):
            arm = self._arm(budget)
            if arm.model != call.model and not self._problem(asked, call, arm):
                return budget, arm
        return None, None

    async def _used_up(self, call: Call) -> Sequence[Budget]:
        most, subject = self.pricing.worst_case(call), subject_of(call)
        asked = claims(self.budgets, subject, call.time)
        found = [budget for budget, _ in over(self.budgets, await self.holding.holds.standings(asked), most)]
        single = over_request(requests(self.budgets, subject), most)
        return [*found, single] if single is not None else found

    def _problem(self, asked: Asked, call: Call, arm: Arm) -> str:
        """Why an arm is none: it cannot take the call, or is no cheaper."""
        there = replace(call, model=arm.model, provider=arm.provider)
        if self.pricing.worst_case(there) >= self.pricing.worst_case(call):
            return "it is no cheaper"
        if arm.provider != "anthropic":
            return self.refuses(asked, arm) or ""
        here, known = capabilities(call.model, call.provider), capabilities(arm.model, arm.provider)
        if known is None:
            return "nothing is known of what it takes"
        needed = tokens_elsewhere(call.prompt_tokens, here, known)
        needed += min(call.max_output, known.max_output or call.max_output)
        if known.context is not None and needed > known.context:
            return f"the call needs {needed:,} tokens of its {known.context:,}"
        is_short = call.identity.role is Role.SUBAGENT and needed * 2 <= (known.context or 0)
        if known.is_narrower(here) and not is_short:
            return "the conversation may outgrow it"
        return self.why_not(asked, arm.model) or ""

    def _made(self, plan: Plan, arm: Arm | None, why: str, *, leaves: bool) -> Plan:
        """The plan sent to an arm (to its own model where that is None), with other models' thinking left out."""
        call, edits = plan.call, list[Edit]()
        if leaves:
            gone = "it is another model's thinking, which belongs to that model"
            edits += [ReplaceContent(at, "", 0, why=gone) for at in thinking_in(call.blocks)]
        if arm is not None:
            edits.append(SetModel(arm.model, why, provider=arm.provider if arm.provider != call.provider else ""))
            if arm.effort is not None and arm.effort != call.effort:
                edits.append(SetEffort(arm.effort, why))
        decisions = list[Decision]()
        for edit in edits:
            edited = apply(edit, call)
            before, after = self.pricing.estimate(call), self.pricing.estimate(edited)
            decisions.append(Decision(strategy=NAME, edit=edit, applied=True, before=before, after=after))
            call = edited
        return replace(plan, call=call, decisions=(*plan.decisions, *decisions)) if decisions else plan

    def _remember(self, key: str, turn: _Turn) -> None:
        self._turns[key] = turn
        self._turns.move_to_end(key)
        if len(self._turns) > _MOST_TURNS:
            self._turns.popitem(last=False)
