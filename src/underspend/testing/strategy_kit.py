"""A rehearsal for strategies: a conversation's real request bodies through the engine, the wire format and the cache.

For tests of strategies, ours and others'. Each body is taken apart, edited, put together and taken apart again; two
worlds are simulated on the clock that is given, one with the edits and one without.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from underspend.core.call import Block, Call, Identity, Role
from underspend.core.context import Context
from underspend.core.conversation import Conversation, Habits, Kept, name_of
from underspend.core.edits import DropMessages, Edit, ReplaceContent, ReplaceMessages, ShortenContent
from underspend.core.engine import Step, made_again, run
from underspend.core.money import Money
from underspend.core.plan import Plan
from underspend.core.ports import Pricing
from underspend.formats import anthropic_request
from underspend.formats.anthropic_blocks import Anatomist
from underspend.formats.anthropic_edits import edited
from underspend.formats.lenient import count, decode, obj, text
from underspend.pricing.forecast import Forecast
from underspend.promptcache import Cache, Prompt, Settings, Split, build, facts, piece_of
from underspend.promptcache.cache import LIFETIMES
from underspend.promptcache.prompt import LONG


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """One call: what was decided, its bytes before and after, the blocks of those sent, and its cost in both worlds.

    Costs are of the prompt alone, in pico-dollars. `rewrites` says that the plan changed what earlier calls had sent.
    """

    plan: Plan
    asked: bytes
    sent: bytes
    blocks: tuple[Block, ...]
    paid: Money
    without_us: Money
    rewrites: bool


@dataclass(slots=True)
class Rehearsal:
    """One conversation under a policy. Times are microseconds and never run backwards."""

    steps: Sequence[Step]
    role: Role = Role.MAIN
    kind: str = "main"
    habits: Habits = field(default_factory=Habits)
    pricing: Pricing = field(default_factory=Forecast)
    _anatomist: Anatomist = field(default_factory=Anatomist)
    _worlds: tuple[Cache, Cache] = field(default_factory=lambda: (Cache(), Cache()))
    _kept: dict[bytes, Kept] = field(default_factory=dict)
    _gaps: list[int] = field(default_factory=list)
    _before: Rehearsed | None = None
    _last: int | None = None
    _calls: int = 0
    _long: tuple[int, int] = (0, 0)
    _paid: Money = 0
    _without: Money = 0

    def play(self, bodies: Iterable[tuple[int, bytes]]) -> Iterator[Rehearsed]:
        """Each body with the time it is sent. Raises ValueError for one that is none, or an edit that does not fit."""
        for at, raw in bodies:
            yield self.take(at, raw)

    def take(self, at: int, raw: bytes) -> Rehearsed:
        """The conversation's next call."""
        call = self._call(at, raw, f"c{self._calls}")
        if self._last is not None:
            insort(self._gaps, at - self._last)
        known = self._known(call)
        context = Context(now=at, pricing=self.pricing, conversation=known, habits=self.habits)
        plan = run(call, self.steps, context)
        if plan.faults:
            raise ValueError(f"{plan.faults[0].component}: {plan.faults[0].message}")
        edits: list[Edit] = [decision.edit for decision in plan.decisions if decision.applied]
        sent = edited(raw, edits) if edits else raw
        self._keep(plan)
        found = self._settle(plan, raw, sent, at)
        self._before, self._last, self._calls = found, at, self._calls + 1
        return found

    def _call(self, at: int, raw: bytes, name: str) -> Call:
        request = anthropic_request.read(raw)
        if request is None:
            raise ValueError("the body is no JSON object")
        blocks, body = self._blocks(raw), obj(decode(raw))
        control = obj(body.get("cache_control"))
        size = sum(block.tokens for block in blocks)
        return Call(
            id=name,
            time=at,
            provider="anthropic",
            endpoint="messages",
            model=request.model,
            max_output=request.max_tokens,
            prompt_tokens=size,
            prompt_ceiling=len(raw),
            size=len(raw),
            effort=request.effort,
            speed=request.speed,
            kind=self.kind,
            identity=Identity(session="rehearsal", role=self.role),
            blocks=blocks,
            thinking_budget=count(obj(body.get("thinking")).get("budget_tokens")),
            automatic=(text(control.get("ttl")) or "5m") if control else None,
        )

    def _blocks(self, raw: bytes) -> tuple[Block, ...]:
        request = anthropic_request.read(raw)
        if request is None:
            raise ValueError("the body is no JSON object")
        parts = self._anatomist.anatomy(tools=request.tools, system=request.system, messages=request.messages)
        return parts.blocks

    def _known(self, call: Call) -> Conversation:
        again, _ = made_again(call, Conversation(kept=self._kept))
        prompt = _prompt(again.blocks, again, self.pricing)
        top, until = self._worlds[1].find(prompt, call.time)
        warm = prompt.sizes[top] if top >= 0 else 0
        size, dies = self._long
        before = self._before.plan.call if self._before is not None else None
        return Conversation(
            calls=self._calls,
            idle=None if self._last is None else call.time - self._last,
            gaps=tuple(self._gaps),
            warm_tokens=warm,
            long_tokens=min(size, warm) if call.time < dies else 0,
            cold_at=until if top >= 0 else None,
            kept=dict(self._kept),
            model=before.model if before is not None else None,
            effort=before.effort if before is not None else None,
            paid=self._paid,
            saved=self._without - self._paid,
        )

    def _keep(self, plan: Plan) -> None:
        for decision in plan.decisions:
            if isinstance(decision.edit, DropMessages | ReplaceMessages):
                return
            if decision.applied and isinstance(decision.edit, ReplaceContent | ShortenContent):
                self._kept[name_of(plan.asked.blocks[decision.edit.at])] = Kept(decision.strategy, decision.edit)

    def _settle(self, plan: Plan, raw: bytes, sent: bytes, at: int) -> Rehearsed:
        without, _ = self._pay(0, plan.asked.blocks, plan.asked, at)
        paid, split = self._pay(1, plan.call.blocks, plan.call, at)
        self._paid += paid
        self._without += without
        if split.cache_write_1h:
            self._long = split.cache_read + split.cache_write_1h, at + LIFETIMES[LONG]
        elif split.cache_read < self._long[0]:
            self._long = 0, 0
        return Rehearsed(
            plan=plan,
            asked=raw,
            sent=sent,
            blocks=self._blocks(sent),
            paid=paid,
            without_us=without,
            rewrites=self._rewrites(plan),
        )

    def _pay(self, world: int, blocks: Sequence[Block], call: Call, at: int) -> tuple[Money, Split]:
        cache = self._worlds[world]
        split = cache.admit(_prompt(blocks, call, self.pricing), at)
        cache.began(split, at)
        rates = self.pricing.rates(call)
        if rates is None:
            return 0, split
        cost = (
            split.input * rates.input
            + split.cache_read * rates.cache_read
            + split.cache_write_5m * rates.cache_write_5m
            + split.cache_write_1h * rates.cache_write_1h
        )
        return cost, split

    def _rewrites(self, plan: Plan) -> bool:
        """Whether the plan did something anew to a block that an earlier call held, or moved the cut of its history."""
        before = self._before
        if before is None:
            return False
        held = {name_of(block) for block in before.plan.asked.blocks}
        contents = (
            name_of(plan.asked.blocks[decision.edit.at]) in held
            for decision in plan.decisions
            if decision.applied and not decision.again and isinstance(decision.edit, ReplaceContent | ShortenContent)
        )
        return any(contents) or _cut(plan) != _cut(before.plan)


def _cut(plan: Plan) -> tuple[tuple[int, int], ...]:
    edits = (decision.edit for decision in plan.decisions if decision.applied)
    return tuple((edit.first, edit.last) for edit in edits if isinstance(edit, DropMessages | ReplaceMessages))


def _prompt(blocks: Sequence[Block], call: Call, pricing: Pricing) -> Prompt:
    known = facts(call.model)
    settings = Settings(model=call.model, effort=call.effort or known.effort, thinking=known.thinking)
    pieces = [piece for block in blocks if (piece := piece_of(block)) is not None]
    return build(pieces, settings, minimum=pricing.cache_minimum(call.model), automatic=call.automatic)
