"""Replay: every recorded call through the engine with a policy, and what it would have cost in that world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from underspend.audit.replay.assumptions import (
    SAME,
    content_left_out,
    output_at_another_effort,
    scaled,
    tokenizer,
    work_of_another_model,
)
from underspend.audit.replay.edited import Sent, Talk
from underspend.audit.replay.money import would_cost
from underspend.audit.replay.outcomes import Outcomes
from underspend.audit.replay.traffic import Asked, Tick, Traffic, settings_of, silence
from underspend.audit.replay.undisturbed import undisturbed
from underspend.core.call import Call
from underspend.core.context import Context
from underspend.core.edits import DropMessages, ReplaceContent, SetModel, ShortenContent, alters_meaning
from underspend.core.engine import Scoped, run
from underspend.core.engine import Step as PolicyStep
from underspend.core.money import Money, scale
from underspend.core.past import Past
from underspend.core.plan import Plan
from underspend.core.slots import Beginnings
from underspend.core.usage import Usage
from underspend.pricing.forecast import Forecast
from underspend.promptcache import Cache, InvalidPromptError, Names, Split
from underspend.promptcache.prompt import check_breakpoints
from underspend.routing.beliefs import Knowing

_REWRITES = ReplaceContent | ShortenContent | DropMessages | SetModel
_TICK = 64


@dataclass(slots=True)
class Deeds:
    """What one strategy did: edits of which `kinds`, in how many calls, how often they were made again in later ones.

    `rewrites` is what it cost to write again what stood behind its edits: part of the bill already, told apart.
    """

    edits: int = 0
    calls: int = 0
    repeated: int = 0
    rewrites: Money = 0
    alters_meaning: bool = False
    kinds: set[str] = field(default_factory=set)
    faults: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Cost:
    """A call's cost under the policy: with the assumptions that make it cheapest, the expected ones, the dearest.

    `gained` is what it saved by reading what the record's world had to write: simulated, not seen.
    """

    low: Money
    expected: Money
    high: Money
    gained: Money = 0


@dataclass(slots=True)
class Played:
    """The whole traffic under a policy. `costs` are by call, in the traffic's order, None where nothing changed."""

    costs: list[Cost | None]
    deeds: dict[str, Deeds]


def play(
    traffic: Traffic, steps: Sequence[PolicyStep], tick: Tick = silence, outcomes: Outcomes | None = None
) -> Played:
    """Replay the traffic under a policy, on the record's own clock. Deterministic; nothing is sent or stored.

    `outcomes` is what routing learns from in this world, as it goes.
    """
    world = _World(traffic, steps, outcomes)
    with undisturbed():
        for number, asked in enumerate(traffic.calls):
            world.take(asked)
            if not number % _TICK:
                tick(number, len(traffic.calls))
    return world.played


class _World:
    """The edited world: one cache, one past, many conversations."""

    def __init__(self, traffic: Traffic, steps: Sequence[PolicyStep], outcomes: Outcomes | None = None) -> None:
        self._traffic, self._steps, self._outcomes = traffic, Scoped(steps), outcomes
        self._cache, self._names, self._past = Cache(), Names(), Past()
        self._talks: dict[int, Talk] = {}
        self._pricing, self._beginnings = Forecast(traffic.prices), Beginnings()
        self.played = Played([], {step.strategy.name: Deeds() for step in steps})

    def take(self, asked: Asked) -> None:
        """The next call."""
        recorded, past = asked.recorded, self._past
        talk = self._talks.get(recorded.row)
        if talk is None:
            talk = self._talks[recorded.row] = Talk.new(self._names)
        call = talk.take(asked)
        for name in talk.edited.values():
            self.played.deeds[name].repeated += 1
        past.until(call.time)
        known = talk.known(asked, self._cache)
        knowing = self._known(recorded.row, talk, call)
        context = Context(
            now=call.time,
            pricing=self._pricing,
            conversation=known,
            habits=past.habits,
            slot=talk.slot,
            beside=self._beginnings.beside(call),
            knowing=knowing,
        )
        plan = run(call, self._steps.of(call.identity), context)
        if plan.faults:
            self._note_faults(plan)
        cost = self._outcome(asked, talk, plan)
        expected = asked.paid.total if cost is None else cost.expected
        talk.paid += expected
        talk.saved += asked.paid.total - expected
        past.add(recorded.row, recorded.call, recorded.step.usage.output)
        if self._outcomes is not None:
            self._outcomes.add(recorded.row, plan, expected)
        self.played.costs.append(cost)

    def _known(self, row: int, talk: Talk, call: Call) -> Knowing | None:
        """What routing has learned; failures seen since the last call are noted in the slot."""
        if self._outcomes is None:
            return None
        knowing, failures = self._outcomes.before(row, call), self._outcomes.failures.get(row, ())
        if talk.slot is not None and talk.slot.failures != failures:
            talk.slot = replace(talk.slot, failures=failures)
        return knowing

    def _outcome(self, asked: Asked, talk: Talk, plan: Plan) -> Cost | None:
        settings, minimum = asked.settings, asked.minimum
        call, was = plan.call, asked.recorded.call
        if call.model != was.model or call.effort != was.effort:
            settings, minimum = settings_of(call.model, call.effort, call.speed, self._traffic.prices)
        sent = talk.sent(asked, plan, settings, minimum)
        try:
            check_breakpoints(sent.marks)
        except InvalidPromptError as error:
            self._fault("breakpoints", str(error))
            sent.marks = asked.recorded.marks
        split = self._split(asked, talk, sent)
        talk.asked_model, talk.effort = asked.settings.model, call.effort
        talk.went(sent, split, plan)
        if talk.slot is not None:
            self._beginnings.add(plan, talk.slot)
        cost = self._cost(asked, plan, sent, split, talk)
        if plan.decisions:
            self._credit(asked, plan, split)
        return cost

    def _split(self, asked: Asked, talk: Talk, sent: Sent) -> Split:
        """How the cache splits the prompt, with what the record knows: what it missed is missed here too."""
        if sent.blocks is not talk.blocks or sent.fresh < len(sent.blocks) or sent.settings is not talk.followed:
            talk.growing.follow(sent.blocks, sent.settings)
        at_least = min(asked.at_least, sent.fresh - 1) if sent.settings == asked.settings else -1
        start = asked.recorded.step.start
        prompt = talk.growing.prompt(sent.marks, sent.minimum)
        split = self._cache.admit(prompt, start, at_least=at_least, at_most=asked.at_most)
        self._cache.began(split, asked.visible)
        return split

    def _cost(self, asked: Asked, plan: Plan, sent: Sent, split: Split, talk: Talk) -> Cost | None:
        step = asked.recorded.step
        was, output = asked.expected, step.usage.output
        is_model = sent.settings.model != asked.settings.model
        is_effort = plan.call.effort != asked.recorded.call.effort
        is_cut = 0 < plan.call.max_output < output
        if split == was and not (is_model or is_effort or is_cut):
            return None
        usage = between(step.usage, was, split, talk.growing.total)
        if is_cut:
            usage = _asked_again(usage, plan.call.max_output)
        cost = self._priced(asked, plan.call, usage, is_model=is_model, is_effort=is_effort)
        if talk.edited or sent.is_shorter:
            _widen(cost, asked.paid.total)
        return cost

    def _priced(self, asked: Asked, call: Call, usage: Usage, *, is_model: bool, is_effort: bool) -> Cost:
        step, prices = asked.recorded.step, self._traffic.prices
        model = call.model if is_model else None
        if not (is_model or is_effort):
            expected = would_cost(step, asked.paid, usage, prices)
            return Cost(expected, expected, expected, self._gained(asked, usage, expected))
        prompt, output = SAME, SAME
        if is_model:
            provider = call.provider
            prompt = tokenizer(
                prices.find(asked.recorded.call.model, provider=provider), prices.find(call.model, provider=provider)
            )
            prompt *= work_of_another_model()
            output = prompt
        if is_effort:
            output *= output_at_another_effort()
        low, expected, high = (
            would_cost(step, asked.paid, scaled(usage, *factors), prices, model)
            for factors in zip(prompt.each, output.each, strict=True)
        )
        return Cost(low, expected, high, self._gained(asked, usage, expected))

    def _gained(self, asked: Asked, usage: Usage, expected: Money) -> Money:
        """Dollars that hang on reading more than the record's world read."""
        more = usage.cache_read - asked.recorded.step.usage.cache_read
        if more <= 0:
            return 0
        return max(0, min(asked.paid.total - expected, asked.paid.total))

    def _credit(self, asked: Asked, plan: Plan, split: Split) -> None:
        """Count what was done, and charge what had to be written again to the edit that came first in the prompt."""
        first: tuple[int, str] | None = None
        touched = set[str]()
        for decision in plan.decisions:
            if not decision.applied:
                continue
            deeds = self.played.deeds[decision.strategy]
            if decision.again:
                deeds.repeated += 1
                continue
            deeds.edits += 1
            deeds.kinds.add(type(decision.edit).__name__)
            deeds.alters_meaning |= alters_meaning(decision.edit)
            touched.add(decision.strategy)
            if isinstance(decision.edit, _REWRITES):
                at = getattr(decision.edit, "at", -1)
                first = min(first, (at, decision.strategy)) if first else (at, decision.strategy)
        for name in touched:
            self.played.deeds[name].calls += 1
        more = split.written - asked.expected.written
        if first is not None and more > 0:
            rates = self._pricing.rates(plan.call)
            if rates is not None:
                write = rates.cache_write_1h if split.cache_write_1h else rates.cache_write_5m
                self.played.deeds[first[1]].rewrites += more * (write - rates.cache_read)

    def _note_faults(self, plan: Plan) -> None:
        for fault in plan.faults:
            self._fault(fault.component.removeprefix("strategy "), fault.message)

    def _fault(self, name: str, message: str) -> None:
        deeds = self.played.deeds.setdefault(name, Deeds())
        deeds.faults[message] = deeds.faults.get(message, 0) + 1


def between(recorded: Usage, was: Split, now: Split, total: int) -> Usage:
    """The recorded tokens, moved by what the two simulated worlds differ in; in all `total` tokens of prompt.

    So what the simulation does not know (a few tokens behind the last breakpoint, results out of order) is the same in
    both worlds and falls out.
    """
    read = min(max(recorded.cache_read + now.cache_read - was.cache_read, 0), total)
    fresh = min(max(recorded.input + now.input - was.input, 0), total - read)
    written = total - read - fresh
    long = min(max(recorded.cache_write_1h + now.cache_write_1h - was.cache_write_1h, 0), written)
    return Usage(
        input=fresh,
        cache_write_5m=written - long,
        cache_write_1h=long,
        cache_read=read,
        output=recorded.output,
    )


def _widen(cost: Cost, paid: Money) -> None:
    """The range of a cost that hangs on how many tokens were left out."""
    ratio = content_left_out()
    by = abs(paid - cost.expected)
    cost.low -= scale(by, ratio.high - ratio.expected, ratio.expected)
    cost.high += scale(by, ratio.expected - ratio.low, ratio.expected)


def _asked_again(usage: Usage, limit: int) -> Usage:
    """A reply that its limit cut: its prompt is read once more, and the whole reply written."""
    return Usage(
        input=usage.input * 2,
        cache_write_5m=usage.cache_write_5m,
        cache_write_1h=usage.cache_write_1h,
        cache_read=usage.cache_read * 2 + usage.cache_write_5m + usage.cache_write_1h,
        output=usage.output + limit,
    )
