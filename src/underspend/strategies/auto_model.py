"""Sends each slot of work to the model that does it for the least, with the cache it loses counted in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, cast

from underspend.core.call import Call, Role
from underspend.core.context import Context
from underspend.core.conversation import name_of
from underspend.core.edits import Edit, ReplaceContent, SetEffort, SetModel, Warn
from underspend.core.foresight import can_bear
from underspend.core.money import Money, show
from underspend.core.routing import (
    Load,
    Outlook,
    can_lose_thinking,
    cost_of,
    is_cached,
    is_in_tool_loop,
    may_be_warm,
    thinking_in,
)
from underspend.core.strategy import State, Strategy
from underspend.pricing.capabilities import capabilities, default_tiers, tokens_elsewhere
from underspend.routing.beliefs import Arm, Belief, Knowing, Standing
from underspend.routing.decisions import (
    TIER_OF,
    TIERS,
    Candidate,
    Mode,
    Preference,
    RouteRule,
    Routing,
    arm_of,
    classes_of,
    in_words,
    may_be_routed,
    task_of,
)

_THOUSAND, _PERCENT = 1_000, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoModel(Strategy):
    """One model per slot, chosen where it is free or pays; a model that the client named stays, unless you open it.

    `tiers` are models from cheap to best, `candidates` others. `tasks` gives classes their tier or model, `rules` any
    call. `route_pinned` are roles and agent types whose named model may be left. At most `epsilon_percent` of a class
    may come out worse, with `delta_percent` of doubt. `sees_all` says that all traffic of a key goes through here: then
    a prompt never seen is cold; else it might be warm, and only what pays even so is done. A model with fewer than
    `min_results` results is taken to need `margin_percent` more than the price list says.
    """

    name: ClassVar[str] = "auto_model"
    default_state: ClassVar[State] = State.SHADOW
    mode: Mode = Mode.OBSERVE
    preference: Preference = Preference.BALANCED
    tiers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    candidates: tuple[str, ...] = ()
    tasks: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[RouteRule, ...] = ()
    route_pinned: tuple[str, ...] = ()
    epsilon_percent: int = 5
    delta_percent: int = 10
    max_escalations: int = 2
    sees_all: bool = False
    min_results: int = 10
    margin_percent: int = 30

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, when the configuration is read."""
        if not set(self.tiers) <= set(TIERS):
            raise ValueError(f"the tiers are {', '.join(TIERS)}, not {', '.join(self.tiers)}")
        if not (0 < self.epsilon_percent < _PERCENT and 0 < self.delta_percent < _PERCENT):
            raise ValueError("epsilon_percent and delta_percent are to be between 0 and 100")

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """The slot's model, its effort, thinking of other models left out; only words where the mode says so."""
        return self.made_of(self.route(call, ctx), call, ctx)

    def made_of(self, routing: Routing | None, call: Call, ctx: Context) -> Iterator[Edit]:
        """What a decision does to a call."""
        if routing is not None and routing.acts:
            yield from _edits(routing, call)
        elif routing is not None and routing.changes:
            yield Warn(why=routing.reason)
        yield from self._thinking_left_out(call, ctx, all_of_it=bool(routing and routing.acts and routing.leaves_model))

    def route(self, call: Call, ctx: Context) -> Routing | None:
        """What becomes of a call and why; None where routing does not concern it. Pure: a dry run is this alone."""
        is_auto, may = bool(call.preference), may_be_routed(call)
        rule = next((rule for rule in self.rules if rule.fits(call)), None) if may else None
        if not is_auto and not (may and ctx.rates(call) is not None):
            return None
        home = self._home(call)
        said = rule.to if rule else next((self.tasks[name] for name in classes_of(call) if name in self.tasks), None)
        slot, is_open = ctx.slot, is_auto or rule is not None or self.is_opened(call)
        is_away = slot is not None and slot.model != slot.asked
        if not (is_auto or is_away) and not self.is_acting:
            watching = _Choice(self, call, ctx, home, home)
            return watching.watched(said) if watching.is_free else None
        if not (is_open or is_away):
            return None
        choice = _Choice(self, call, ctx, home, self._current(call, ctx, home))
        if slot is not None and is_away and slot.asked != call.model:
            return choice.made(home, "the client asks for another model than before")
        may_change = may and is_open and (is_auto or self.is_acting)
        return choice.kept(may_change=may_change) or choice.taken(said)

    @property
    def is_acting(self) -> bool:
        """Whether the mode changes calls to models that clients named."""
        return self.mode in {Mode.CERTIFIED, Mode.AGGRESSIVE}

    def _thinking_left_out(self, call: Call, ctx: Context, *, all_of_it: bool) -> Iterator[Edit]:
        """What other models thought: all there is where the model changes, from then on what was left out before."""
        kept = ctx.conversation.kept
        for at in thinking_in(call.blocks) if all_of_it or kept else ():
            known = kept.get(name_of(call.blocks[at]))
            if all_of_it or (known is not None and known.strategy == self.name):
                yield ReplaceContent(at, "", 0, why="it is another model's thinking, which belongs to that model")

    def arms(self, said: str | None = None) -> list[Arm]:
        """The arms of a tier, or the one named; without either all there are, from cheap to best."""
        tiers = {name: self.tiers.get(name) or default_tiers()[name] for name in TIERS}
        if said is None:
            return [arm_of(each) for each in (*(each for tier in tiers.values() for each in tier), *self.candidates)]
        return [arm_of(each) for each in tiers.get(said, (said,))]

    def level(self, arm: Arm) -> int:
        """The number of an arm's tier; one above all for those of none."""
        models = [[each.model for each in self.arms(tier)] for tier in TIERS]
        return next((at for at, tier in enumerate(models) if arm.model in tier), len(TIERS))

    def preference_of(self, call: Call) -> Preference:
        """What the client or else the user prefers."""
        return Preference(call.preference) if call.preference in set(Preference) else self.preference

    def is_opened(self, call: Call) -> bool:
        """Whether the user lets the model that such a call names be left."""
        return not {call.identity.role.value, call.identity.agent_type}.isdisjoint(self.route_pinned)

    def _home(self, call: Call) -> Arm:
        """The model asked for; of a client that leaves it to us, the first of its preference's tier."""
        if not call.preference:
            return Arm(call.model, None, call.provider)
        return self.arms(TIER_OF[self.preference_of(call)])[0]

    def _current(self, call: Call, ctx: Context, home: Arm) -> Arm:
        """The arm the slot is on. Where nobody keeps slots, the model of the call before, if it is one of ours."""
        slot = ctx.slot
        if slot is not None:
            is_own = slot.asked == call.model or slot.model != slot.asked
            return Arm(slot.model, slot.effort, slot.provider) if is_own else home
        if not ctx.conversation.calls:
            return home
        ours = [*self.arms(), *(arm for rule in self.rules for arm in self.arms(rule.to))]
        return next((arm for arm in ours if arm.model == ctx.conversation.model), home)


def _edits(routing: Routing, call: Call) -> Iterator[Edit]:
    arm = routing.arm
    yield SetModel(arm.model, why=routing.reason, provider=arm.provider if arm.provider != call.provider else "")
    if arm.effort is not None and arm.effort != call.effort:
        yield SetEffort(arm.effort, why=routing.reason)


class _Choice:
    """One decision: what is known of the slot, and of each arm when it is asked for."""

    def __init__(self, router: AutoModel, call: Call, ctx: Context, home: Arm, current: Arm) -> None:
        self._router, self._call, self._ctx = router, call, ctx
        self._home, self._current = home, current
        self._knowing, self._asked = cast("Knowing | None", ctx.knowing), capabilities(home.model, home.provider)
        self._prices: dict[tuple[Arm, Outlook, int | None], Money | None] = {}

    @cached_property
    def _foreign(self) -> tuple[int, bool]:
        """The tokens of the thinking there is, and whether it could go."""
        blocks, places = self._call.blocks, thinking_in(self._call.blocks)
        return sum(blocks[at].tokens for at in places), can_lose_thinking(blocks, places)

    @cached_property
    def _is_cached(self) -> bool:
        return is_cached(self._call)

    def stays(self, why: str, candidates: Sequence[Candidate] = ()) -> Routing:
        """On the arm in use."""
        return self.made(self._current, why, candidates)

    def made(self, arm: Arm, why: str, candidates: Sequence[Candidate] = (), *, escalates: bool = False) -> Routing:
        """A decision for an arm."""
        return Routing(
            task=task_of(self._call),
            arm=arm,
            instead_of=self._home,
            reason=why,
            candidates=tuple(candidates),
            before=self._current,
            escalates=escalates,
        )

    @property
    def is_free(self) -> bool:
        """Whether nothing is lost by a change: the slot begins, or its cache is cold; and never within a turn."""
        talk = self._ctx.conversation
        is_cold = not talk.calls or (talk.is_cold and not may_be_warm(self._call, self._ctx, self._router.sees_all))
        return is_cold and not is_in_tool_loop(self._call.blocks)

    def kept(self, *, may_change: bool) -> Routing | None:
        """The decision where there is nothing to choose: no other model can take it, or a turn keeps its model."""
        if problem := self._problem_of(self._current):
            fits = (arm for arm in (self._home, *self._router.arms()) if not self._problem_of(arm))
            fit = next(fits, self._home)
            return self.made(fit, f"{self._current.model} cannot take it: {problem}")
        if not may_change or is_in_tool_loop(self._call.blocks):
            return self.stays("a turn keeps its model")
        return None

    def taken(self, said: str | None) -> Routing:
        """The choice: up after a failure, else what the user said, else what costs least."""
        chosen = self._escalated() or (self._said(said) if said is not None else None)
        if chosen is None and not self._router.is_acting:
            return self.stays(f"in the mode {self._router.mode.value} each preference has one model")
        return chosen or self._along() or self._best()

    def watched(self, said: str | None) -> Routing:
        """What would be done, for the user to read."""
        found = self._said(said) if said is not None else self._best()
        return replace(found, reason=in_words(found, self._router.mode), acts=False)

    def _escalated(self) -> Routing | None:
        """One tier up after a failure: at once where it is certain, else when the cache is cold anyway."""
        slot, router, is_auto = self._ctx.slot, self._router, bool(self._call.preference)
        if slot is None or not slot.unanswered or slot.escalations >= router.max_escalations:
            return None
        above = router.level(self._current) + 1
        top = len(TIERS) if is_auto else min(len(TIERS), router.level(self._home))
        higher = router.arms(TIERS[above]) if above < top else [] if is_auto else [self._home]
        arm = next((each for each in higher if not self._problem_of(each)), self._current)
        is_certain = any(failure.certain for failure in slot.unanswered)
        if arm == self._current or not (is_certain or self.is_free):
            return None
        return self.made(arm, f"one tier up: {slot.unanswered[-1].why}", escalates=True)

    def _said(self, said: str) -> Routing:
        """The user's own choice, taken where the slot begins or is cold, elsewhere where it pays."""
        arm = next((each for each in self._router.arms(said) if not self._problem_of(each)), None)
        if arm is None or arm == self._current:
            return self.stays("your rule" if arm is not None else "what your rule names cannot take it")
        why = f"your rule sends {task_of(self._call)} to {arm.model}"
        if self.is_free:
            return self.made(arm, why)
        here, there = self._candidate(self._current), self._candidate(arm)
        pays = here.cost is not None and there.cost is not None and there.cost < here.cost
        if pays and can_bear(there.loss, self._ctx):
            return self.made(arm, why, (here, there))
        return self.stays(f"{why}, but the cache is warm", (here, there))

    def _along(self) -> Routing | None:
        """Where a slot begins: to where the last that began alike went, and left what they share cold behind it."""
        beside = self._ctx.beside
        if self._ctx.conversation.calls or beside is None or beside.asked != self._call.model:
            return None
        arm = Arm(beside.model, beside.effort, beside.provider)
        is_open = self._router.mode is Mode.AGGRESSIVE or not self._weighed(arm).why_not
        if arm == self._home or not is_open or self._problem_of(arm):
            return None
        return self.made(arm, f"what it begins with is cached on {arm.model}")

    def _best(self) -> Routing:
        """The arm with the least expected cost among those that do the work well enough."""
        found = [self._weighed(arm) for arm in dict.fromkeys([self._home, self._current, *self._router.arms()])]
        here = next(each for each in found if each.arm == self._current)
        open_to = [each for each in found if not each.why_not and each.cost is not None]
        if here.cost is None or not open_to:
            return self.stays("nothing is known of what it costs", found)
        least = min(open_to, key=lambda each: (each.cost or 0, each.arm != self._current))
        if least.arm == self._current or (least.cost or 0) >= here.cost:
            return self.stays("nothing that may be chosen costs less", found)
        bearable = [each for each in open_to if each.arm == self._current or can_bear(each.loss, self._ctx)]
        if least not in bearable:
            hoped_for, least = least.arm.model, min(bearable, key=lambda each: each.cost or 0, default=here)
            if least.arm == self._current:
                return self.stays(f"{hoped_for} would pay only if it goes on", found)
        why = f"{show(least.cost or 0)} expected, not {show(here.cost)}, at {least.quality:.0%} done well"
        return self.made(least.arm, why, found)

    def _weighed(self, arm: Arm) -> Candidate:
        """A candidate, with why it may not be chosen."""
        found, slot, router = self._candidate(arm), self._ctx.slot, self._router
        if arm == self._current or found.why_not:
            return found
        if slot and (slot.escalations or slot.unanswered) and router.level(arm) < router.level(self._current):
            return replace(found, why_not="work like it failed there")
        if arm == self._home:
            return found
        if self._knowing is None or found.cost is None:
            return replace(found, why_not="nothing is known of it")
        return replace(found, why_not=self._too_risky(found, self._knowing))

    def _too_risky(self, found: Candidate, knowing: Knowing) -> str:
        call, router = self._call, self._router
        preference, share = router.preference_of(call), router.epsilon_percent / _PERCENT
        if router.mode is Mode.CERTIFIED:
            arms = self._key(found.arm), self._key(self._home)
            paper = knowing.certificate(task_of(call), tuple(call.features), *arms)
            is_strict = paper.epsilon <= share and paper.delta <= router.delta_percent / _PERCENT
            if paper.standing is Standing.CERTIFIED and is_strict:
                return ""
            return f"{paper.standing.value}: {paper.why}" if paper.why else paper.standing.value
        if preference is Preference.CHEAPEST:
            return ""
        wanted = self._belief(self._home).quality - (share if preference is Preference.BALANCED else 0)
        return f"{found.quality:.0%} done well, {wanted:.0%} wanted" if found.quality < wanted else ""

    def _candidate(self, arm: Arm) -> Candidate:
        """What is expected of an arm from here to the slot's end; `why_not` only where it cannot take the call."""
        problem = self._problem_of(arm)
        outlook = Outlook.of(self._call, self._ctx.conversation, self._ctx.habits)
        listed, once = self._listed(arm, outlook), Outlook(1, outlook.growth, outlook.output)
        first = self._listed(arm, once)
        here_first = self._listed(self._current, once, warm=may_be_warm(self._call, self._ctx, self._router.sees_all))
        if listed is None or first is None or here_first is None:
            return Candidate(arm=arm, why_not=problem or "its price is not known")
        cost, loss = self._measured(arm, listed, outlook), max(0, first - here_first)
        return Candidate.of(arm, self._belief(arm), cost=cost, loss=loss, why_not=problem)

    def _measured(self, arm: Arm, listed: Money, outlook: Outlook) -> Money:
        """By what a task of the class has cost on both arms; what is written anew, and work done twice, on top."""
        if arm == self._current or self._knowing is None:
            return listed
        router, there, here = self._router, self._belief(arm), self._belief(self._current)
        base = self._listed(self._current, outlook) or 0
        cost = listed * (_PERCENT + router.margin_percent) // _PERCENT
        if there.cost is not None and here.cost:
            kept = self._listed(arm, outlook, warm=self._ctx.conversation.warm_tokens) or listed
            by_task = base * there.cost // here.cost + listed - kept
            known = min(there.results, here.results) >= router.min_results
            # The list is believed for how cheap it can be, the bills for how dear.
            cost = max(listed if known else cost, by_task)
        worse = round(max(0, self._belief(self._home).quality - there.quality) * _THOUSAND)
        return cost + (self._listed(self._home, outlook) or 0) * worse // _THOUSAND

    def _listed(self, arm: Arm, outlook: Outlook, *, warm: int | None = None) -> Money | None:
        """The calls ahead by the price list, at the length the prompt will have; None where it has no price."""
        key = arm, outlook, warm
        if key in self._prices:
            return self._prices[key]
        call, ctx, is_here = self._call, self._ctx, arm == self._current
        prompt = self._tokens(arm, call.prompt_tokens - (0 if is_here else self._foreign[0]))
        if warm is None:
            warm = ctx.conversation.warm_tokens if is_here else 0
        grown = prompt + self._tokens(arm, outlook.growth * outlook.calls)
        rates = ctx.rates(replace(call, model=arm.model, provider=arm.provider, prompt_tokens=grown))
        ahead = Outlook(outlook.calls, self._tokens(arm, outlook.growth), self._tokens(arm, outlook.output))
        caches = self._is_cached and prompt >= ctx.pricing.cache_minimum(arm.model)
        load = Load(prompt, min(self._tokens(arm, warm), prompt), caches)
        self._prices[key] = cost_of(call, load, rates, ahead) if rates is not None else None
        return self._prices[key]

    def _problem_of(self, arm: Arm) -> str:
        """Why an arm cannot take the call; "" where it can."""
        call, known = self._call, capabilities(arm.model, arm.provider)
        if arm == self._home and not call.preference:
            return ""
        if arm.model in self._ctx.unfit:
            return self._ctx.unfit[arm.model]
        if arm.provider == self._home.provider == "anthropic" and known is None:
            return "nothing is known of what it takes"
        room = known.context if known is not None else None
        needed = self._tokens(arm, call.prompt_tokens)
        if known is not None and arm != self._current:
            needed += min(call.max_output, known.max_output or call.max_output)
            # A client goes by the window of the model it asked for; a sub-agent may have a smaller one, half empty.
            is_short = call.identity.role is Role.SUBAGENT and needed * 2 <= (room or 0)
            if known.is_narrower(self._asked) and not is_short:
                return "the conversation may outgrow it"
        if room is not None and needed > room:
            return f"the prompt needs {needed:,} tokens of its {room:,}"
        can_go = arm == self._current or self._foreign[1]
        return "" if can_go else "a message holds nothing but another model's thinking"

    def _tokens(self, arm: Arm, tokens: int) -> int:
        """So many tokens of the arm in use as the other would count them, at the most."""
        return tokens_elsewhere(tokens, self._asked, capabilities(arm.model, arm.provider))

    def _key(self, arm: Arm) -> Arm:
        """The arm as results are kept: with the effort that the call asks for, where it has none of its own."""
        return arm if arm.effort is not None else replace(arm, effort=self._call.effort)

    def _belief(self, arm: Arm) -> Belief:
        if self._knowing is None:
            return Belief(quality=0, quality_low=0, cost=None, results=0)
        return self._knowing.belief(task_of(self._call), tuple(self._call.features), self._key(arm))
