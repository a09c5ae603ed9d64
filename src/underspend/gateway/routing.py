"""The router, live: which calls it looks at, what it gets to know of them, and what it learns when they have ended.

It looks at calls that leave the model to us and, where the user lets it act, at all that it may route. Others it only
watches: where a slot begins, after the reply is out, a few times a second at most, so that calls pay nothing for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import xxhash

from underspend.core.call import Call, Section
from underspend.core.context import Context
from underspend.core.edits import Edit, SetModel
from underspend.core.engine import Step
from underspend.core.plan import Decision, Plan
from underspend.core.ports import Pricing
from underspend.core.reply import Reply
from underspend.core.routing import Outlook, is_in_tool_loop
from underspend.core.signs import CERTAIN, MEANING, Sign
from underspend.core.slots import Beginnings, Failure, Slot
from underspend.core.strategy import State, Strategy
from underspend.formats import outcome_signs, task_asked
from underspend.formats.adaptation import obstacles
from underspend.formats.anthropic_request import MessagesRequest
from underspend.gateway.acting import Acting, key_of
from underspend.gateway.asked import Asked
from underspend.gateway.holdout import Holdout
from underspend.gateway.learning import Learning
from underspend.gateway.results import Task, Tasks
from underspend.gateway.unfit import Unfit
from underspend.gateway.watching import Pace, Shown, Watching
from underspend.routing.beliefs import Arm
from underspend.routing.classes import classify
from underspend.routing.decisions import TIER_OF, Candidate, Mode, Preference, Routing, may_be_routed
from underspend.strategies.auto_model import AutoModel

_MOST_REFUSED = 4_096
_READ_A_SECOND = 50
_NOT_FOUND = 404
_ANYTHING = b""

Thought = tuple[Call, Routing | None, tuple[Candidate, ...], Context]
"""What would be done with a call: the call as it is classed, the decision, all arms, what that went by."""

Refuses = Callable[[Asked, Arm], str | None]
"""Why a call cannot be made to an arm of another provider; None where it can."""


@dataclass(slots=True, kw_only=True)
class Look:
    """What the router makes of one call.

    `named` is the model as the client said it. `routing` is the decision, once the strategies have run, `warm` the
    tokens that were cached of the prompt and `output` those that replies like it have. `why_back` is set where the call
    had to go back to the model asked for. `shown` is what the request shows, until its features are known.
    """

    call: Call
    key: str
    strategy: AutoModel
    slot: Slot | None
    beside: Slot | None
    unfit: Mapping[str, str]
    task: Task | None
    shown: Shown | None = None
    named: str = ""
    drawn: bool = False
    routing: Routing | None = None
    warm: int = 0
    output: int = 0
    why_back: str = ""

    @property
    def leaves(self) -> bool:
        """Whether the call goes elsewhere than its client named: there is somewhere to go back to."""
        made = self.routing
        return made is not None and made.acts and made.arm != made.instead_of

    @property
    def draws(self) -> bool:
        """Whether the arm is drawn now: where a drawn slot begins, and nothing of it can be cached on another model."""
        return self.drawn and self.slot is None and not any(block.role == "assistant" for block in self.call.blocks)

    def refused(self, why: str) -> None:
        """Note that upstream refused the call for the model that was chosen."""
        self.why_back = f"the model asked for: {self.routing.arm.model if self.routing else ''} refused it: {why}"

    @property
    def is_told(self) -> bool:
        """Whether the client is to hear of the decision."""
        return bool(self.call.preference) or self.leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding(Strategy):
    """`AutoModel` for one call, which leaves its decision with the look."""

    name: ClassVar[str] = AutoModel.name
    look: Look

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """What AutoModel does to the call; where the slot was drawn, with an arm that is drawn too."""
        look = self.look
        routing = look.strategy.route(call, ctx)
        if routing is not None and look.draws:
            routing = _drawn(look, routing, call, ctx)
        look.routing = routing
        look.warm = ctx.conversation.warm_tokens
        look.output = Outlook.of(call, ctx.conversation, ctx.habits).output
        return look.strategy.made_of(routing, call, ctx)


class Router:
    """The router of one gateway. `explore` is the share of slots that are put to an arm by chance where it may act."""

    def __init__(
        self, step: Step, learning: Learning, *, explore: float = 0.0, refuses: Refuses = lambda *_: None
    ) -> None:
        if not isinstance(step.strategy, AutoModel):
            raise TypeError("the router's strategy is auto_model")
        self.strategy = step.strategy
        self.learning = learning
        self.tasks = Tasks(learning)
        self.is_off = step.state is State.OFF and not step.scopes
        self.acts = step.is_on_somewhere and self.strategy.is_acting
        self._explored = Holdout(explore)
        self._refuses = refuses
        self._beginnings = Beginnings()
        self._refused: OrderedDict[tuple[str | None, bytes, str], str] = OrderedDict()
        self._watching = Watching(self.strategy)
        self._pace = Pace(_READ_A_SECOND)
        named = (*(rule.to for rule in self.strategy.rules), *self.strategy.tasks.values())
        arms = (*self.strategy.arms(), *(arm for each in named for arm in self.strategy.arms(each)))
        self._arms = {arm.model: arm for arm in reversed(arms)}

    @property
    def first(self) -> dict[str, str]:
        """The model that each preference has without knowing more."""
        return {each.value: self.strategy.arms(tier)[0].model for each, tier in TIER_OF.items()}

    def look(self, asked: Asked, acting: Acting, *, may_act: bool, noted: bool = True) -> Look | None:
        """What is to be known for a decision; None where the router has nothing to do with a call.

        Unless it is `noted`, the call is only thought of.
        """
        call, message = asked.call, asked.message
        if message is None or not asked.followed:
            return None
        slot = acting.slot(call)
        is_away = slot is not None and slot.model != slot.asked
        if not (call.preference or is_away or (may_act and self.acts and may_be_routed(call))):
            return None
        key = key_of(call)
        task = self.tasks.of(key) if slot is not None and is_in_tool_loop(call.blocks) else None
        shown: Shown | None = None
        if task is not None:
            call = replace(call, task=task.name, features=task.features)
            slot = self._seen(acting, key, task, message, call.time) if noted else slot
        else:
            shown = Shown(message, call)
            if not noted or self._goes_by_class(call, is_away=is_away):
                features = shown.features if self._goes_by_features(shown.task) else ()
                call = replace(call, task=shown.task, features=features)
        drawn = self.acts and may_act and self._explored.holds(f"explore {key}")
        return Look(
            call=call,
            key=key,
            strategy=replace(self.strategy, mode=Mode.OBSERVE) if drawn and slot is not None else self.strategy,
            slot=slot,
            beside=self._beginnings.beside(call),
            unfit=Unfit(self.why_not, asked),
            task=task,
            shown=shown,
            named=asked.named,
            drawn=drawn,
        )

    def plain(self, asked: Asked) -> Look:
        """A look at a call that leaves the model to us, of which nothing can be known."""
        call = asked.call
        return Look(
            call=call,
            key=key_of(call),
            strategy=replace(self.strategy, mode=Mode.OBSERVE),
            slot=None,
            beside=None,
            unfit={},
            task=None,
            named=asked.named,
        )

    def thought(self, asked: Asked, look: Look | None, call: Call, ctx: Context) -> Thought:
        """A dry run: what would be done with a call."""
        strategy = self.strategy
        if look is None and asked.message is not None:
            shown = Shown(asked.message, call)
            call = replace(
                call, blocks=call.blocks or self._watching.blocks(asked), task=shown.task, features=shown.features
            )
            strategy = self._watching.strategy
            ctx = replace(ctx, knowing=self.learning.knowledge, unfit=Unfit(self.why_not, asked))
        elif asked.message is None and asked.raw is not None:
            task = classify(task_asked.of_chat(asked.raw, call.identity, max_output=call.max_output))
            return replace(call, task=task), None, (), ctx
        routing = strategy.route(call, ctx)
        if routing is not None and look is not None and look.draws:
            routing = _drawn(look, routing, call, ctx)
        return call, routing, weighed(strategy, call, ctx), ctx

    def sent(self, look: Look, plan: Plan, slot: Slot | None) -> None:
        """Note what a call is sent to, in the midst of a task or as a new one."""
        if slot is not None:
            self._beginnings.add(plan, slot)
        arm = Arm(plan.call.model, plan.call.effort, plan.call.provider)
        if look.task is not None and look.task.arm == arm:
            return
        home = look.routing.instead_of if look.routing is not None else arm
        look.task = Task(
            name=look.call.task,
            features=tuple(look.call.features),
            arm=arm,
            instead_of=replace(home, effort=home.effort or plan.asked.effort),
            lasts=_lasts(plan.asked),
            drawn=look.drawn,
        )
        self.tasks.begin(look.key, look.task)

    def ended(self, look: Look, acting: Acting, reply: Reply, served: Call, now: int) -> None:
        """Take in how a call ended that was looked at, and what it cost. `served` is its last attempt, as sent."""
        task = look.task
        if task is None:
            return
        if (served.model, served.provider) != (task.arm.model, task.arm.provider):
            task.arm, task.drawn = Arm(served.model, served.effort, served.provider), False
        if look.shown is not None:
            # What is drawn makes certificates, which go by features: it is always read.
            if task.drawn or self._pace.allows(now):
                task.name, task.features = look.shown.task, look.shown.features
            task.name = task.name or unread(served)
            look.shown = None
        signs = _ends(reply)
        task.note(signs)
        acting.failed(look.key, _failures(signs, now))
        self.tasks.settled(look.key, task, served.id, reply.bill.total, now)

    def watched(self, asked: Asked, plan: Plan, pricing: Pricing) -> Decision | None:
        """What it would have done with a call that it did not look at; None where it did not watch either."""
        if self.is_off or asked.message is None or asked.endpoint == "count_tokens" or not may_be_routed(asked.call):
            return None
        call, task = self._watching.look(asked, plan.call.time)
        if call is None or task is None:
            return None
        self.tasks.begin(task, _watched_task(call))
        ctx = Context(now=call.time, pricing=pricing, knowing=self.learning.knowledge, unfit=Unfit(self.why_not, asked))
        routing = self._watching.strategy.route(call, ctx)
        if routing is None or not routing.changes:
            return None
        costs = {each.arm: each.cost for each in routing.candidates}
        provider = routing.arm.provider if routing.arm.provider != call.provider else ""
        return Decision(
            strategy=AutoModel.name,
            edit=SetModel(routing.arm.model, why=routing.reason, provider=provider),
            applied=False,
            before=costs.get(routing.before),
            after=costs.get(routing.arm),
        )

    def watched_end(self, asked: Asked, reply: Reply, now: int) -> None:
        """How a call ended that was only watched: its task's cost, and what its end shows."""
        if self.is_off or (asked.call.identity.session is None and asked.call.id not in self._watching.calls):
            return
        key = self._watching.key(asked)
        task = self.tasks.of(key)
        if task is None:
            return
        messages = asked.message.messages if asked.message is not None else b""
        if task.cost and b'"tool_result"' in messages and self._watching.may_look(now):
            task.note(outcome_signs.of_results(messages))
        task.note(_ends(reply))
        self.tasks.settled(key, task, asked.call.id, reply.bill.total, now)

    def refused(self, look: Look, model: str, why: str, *, status: int) -> None:
        """Remember that upstream refused a request because of the model it was sent to."""
        begin = _ANYTHING if status == _NOT_FOUND else _beginning(look.call)
        self._refused[look.call.identity.key, begin, model] = why
        if len(self._refused) > _MOST_REFUSED:
            self._refused.popitem(last=False)

    def why_not(self, asked: Asked, model: str) -> str | None:
        """Why a model cannot take a call, by what was refused before and by what its body shows."""
        call = asked.call
        for begin in (_ANYTHING, _beginning(call)) if self._refused else ():
            if (call.identity.key, begin, model) in self._refused:
                return f"it was refused before: {self._refused[call.identity.key, begin, model]}"
        arm = self._arms.get(model)
        if arm is None or arm.provider == "anthropic":
            return "; ".join(obstacles(asked.written, model)) or None
        return self._refuses(asked, arm)

    def _goes_by_class(self, call: Call, *, is_away: bool) -> bool:
        """Whether a decision hangs on the class; else that waits until the reply is out."""
        strategy = self.strategy
        if strategy.rules or strategy.tasks:
            return True
        return strategy.is_acting and (bool(call.preference) or is_away or strategy.is_opened(call))

    def _goes_by_features(self, task: str) -> bool:
        """Whether a decision looks at more than the class; else the features wait until the reply is out."""
        contest = self.learning.knowledge.contests.get(task)
        return contest is not None and contest.won

    def _seen(self, acting: Acting, key: str, task: Task, message: MessagesRequest, now: int) -> Slot | None:
        """Note what the results that a call brings show of the step before it; the slot with its failures."""
        signs = outcome_signs.of_results(message.messages)
        task.note(signs)
        if Sign.CHECK_PASSED in signs and len(signs) == 1:
            return acting.mended(key)
        return acting.failed(key, _failures(signs, now))


def weighed(strategy: AutoModel, call: Call, ctx: Context) -> tuple[Candidate, ...]:
    """All arms there are for a call, with what is expected of each: those that could take it have no `why_not`."""
    free = replace(strategy, mode=Mode.AGGRESSIVE, preference=Preference.CHEAPEST, rules=(), tasks={})
    asked = replace(call, preference=Preference.CHEAPEST.value) if call.preference else call
    opened = replace(free, route_pinned=(call.identity.role.value,))
    routing = opened.route(asked, replace(ctx, beside=None, slot=None))
    return routing.candidates if routing is not None else ()


def router_step(steps: Iterable[Step]) -> Step:
    """The router's strategy among all."""
    return next(step for step in steps if isinstance(step.strategy, AutoModel))


def _drawn(look: Look, routing: Routing, call: Call, ctx: Context) -> Routing:
    """An arm drawn by chance among those that can take the call and are no better than the one asked for."""
    highest = look.strategy.level(routing.instead_of)
    found = [each.arm for each in weighed(look.strategy, call, ctx) if not each.why_not]
    arms = [arm for arm in found if look.strategy.level(arm) <= highest] or [routing.arm]
    at = xxhash.xxh3_64_intdigest(f"drawn {look.key}".encode()) % len(arms)
    why = f"drawn by chance among {len(arms)}, to learn how {look.call.task} goes on each"
    return replace(routing, arm=arms[at], reason=why)


def unread(call: Call) -> str:
    """The class of a call that nobody read: the kind of its caller."""
    who = call.identity
    return f"sub-agent/{who.agent_type}" if who.agent_type else who.role.value


def _watched_task(call: Call) -> Task:
    arm = Arm(call.model, call.effort, call.provider)
    return Task(
        name=call.task,
        features=tuple(call.features),
        arm=arm,
        instead_of=arm,
        lasts=_lasts(call),
        at=call.time,
    )


def _lasts(call: Call) -> bool:
    """Whether more calls may belong to the same task: those of a session, or with tools to use."""
    return call.identity.session is not None or any(block.section is Section.TOOLS for block in call.blocks[:1])


def _ends(reply: Reply) -> frozenset[Sign]:
    return outcome_signs.of_reply(reply.metered.stop_reason if reply.metered is not None else None)


def _failures(signs: frozenset[Sign], at: int) -> tuple[Failure, ...]:
    bad = sorted(sign for sign in signs if sign is not Sign.CHECK_PASSED)
    return tuple(Failure(MEANING[sign], at, certain=sign in CERTAIN) for sign in bad)


def _beginning(call: Call) -> bytes:
    digests = [block.digest for block in call.blocks if block.section is not Section.MESSAGES]
    return xxhash.xxh3_128_digest(b"".join(digests))
