"""The four questions of a practical audit, asked of a user's own calls.

Which routes send the most, and is it cached? Which always use one model, and is their work light? How long are the
answers? What could wait for batch prices? A route is a project with the agent that worked in it.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from underspend.audit.bills import Billed
from underspend.audit.categories import Category
from underspend.audit.groups import Cell
from underspend.audit.totals import CACHE_READ, COST, FIRST_TOKENS, OUTPUT
from underspend.core.history import Timeline, Typed
from underspend.core.money import Money
from underspend.pricing.catalogue import Catalogue, catalogue
from underspend.pricing.cost import cost

_UNATTENDED = ("sdk",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A project and an agent: its calls, prompt tokens, the part of them read from the cache, models and dollars.

    `light` are the dollars of calls that only looked something up.
    """

    project: str
    agent: str
    calls: int
    prompt_tokens: int
    cached_tokens: int
    models: tuple[str, ...]
    cost: Money
    light: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How long a model's replies are, in tokens: mean, median and the length that 95 % stay under."""

    model: str
    calls: int
    mean: int
    median: int
    most: int
    cost: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Calls that no person waited for, what they cost, and what they would have at batch prices."""

    calls: int
    cost: Money
    at_batch_prices: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The four answers: `routes` by prompt tokens; `one_model` those that never changed model, by light dollars."""

    routes: tuple[Route, ...]
    one_model: tuple[Route, ...]
    answers: tuple[Answers, ...]
    waiting: Waiting


NO_QUESTIONS = Questions(routes=(), one_model=(), answers=(), waiting=Waiting(calls=0, cost=0, at_batch_prices=0))
"""The answers where nothing was asked."""


class Sent(msgspec.Struct, array_like=True, gc=False):
    """What one route sent, in a part of the replies."""

    project: str
    agent: str
    calls: int = 0
    prompt: int = 0
    cached: int = 0
    cost: Money = 0
    light: Money = 0
    models: set[str] = msgspec.field(default_factory=set)

    def merge(self, more: Sent) -> None:
        """Count in what another part has counted."""
        self.calls += more.calls
        self.prompt += more.prompt
        self.cached += more.cached
        self.cost += more.cost
        self.light += more.light
        self.models |= more.models


class Said(msgspec.Struct, array_like=True, gc=False):
    """The replies of one model in a part: what they cost, and their lengths (64-bit integers, packed)."""

    cost: Money
    lengths: bytes


class Asked(msgspec.Struct, array_like=True, gc=False):
    """What a part of the replies has to say to the four questions; `waiting` as the fields of `Waiting`."""

    routes: list[Sent]
    answers: dict[str, Said]
    waiting: tuple[int, Money, Money]


def asked(billed: Sequence[Billed], cells: Collection[Cell], prices: Catalogue | None = None) -> Asked:
    """What a part of the replies says; `cells` are the same replies, counted."""
    routes: dict[tuple[str, str], Sent] = {}
    costs: dict[str, Money] = {}
    for cell in cells:
        key = (cell.line.project, cell.agent)
        route = routes.get(key)
        if route is None:
            route = routes[key] = Sent(*key)
        counts = cell.counts
        spent = counts[COST]
        route.calls += counts[0]
        route.prompt += sum(counts[FIRST_TOKENS:OUTPUT])
        route.cached += counts[CACHE_READ]
        route.cost += spent
        route.models.add(cell.model)
        if cell.kind is Category.SIMPLE:
            route.light += spent
        costs[cell.model] = costs.get(cell.model, 0) + spent
    lengths = {
        model: [each.usage.output + each.reply.unseen_output for each in billed if each.model == model]
        for model in costs
    }
    answers = {model: Said(costs[model], array("q", known).tobytes()) for model, known in lengths.items()}
    lines = {id(cell.line): cell.line for cell in cells}.values()
    return Asked(list(routes.values()), answers, _waiting(billed, lines, prices or catalogue()))


def answered(parts: Sequence[Asked]) -> Questions:
    """The four answers from all parts."""
    found: dict[tuple[str, str], Sent] = {}
    for each in (each for part in parts for each in part.routes):
        found.setdefault((each.project, each.agent), Sent(each.project, each.agent)).merge(each)
    routes = [_route(each) for each in found.values()]
    one = [route for route in routes if len(route.models) == 1]
    calls, spent, batch = (sum(part.waiting[index] for part in parts) for index in range(3))
    return Questions(
        routes=tuple(sorted(routes, key=lambda route: (-route.prompt_tokens, route.project, route.agent))),
        one_model=tuple(sorted(one, key=lambda route: (-route.light, route.project, route.agent))),
        answers=tuple(_answers(parts)),
        waiting=Waiting(calls=calls, cost=spent, at_batch_prices=batch),
    )


def _route(sent: Sent) -> Route:
    return Route(
        project=sent.project,
        agent=sent.agent,
        calls=sent.calls,
        prompt_tokens=sent.prompt,
        cached_tokens=sent.cached,
        models=tuple(sorted(sent.models)),
        cost=sent.cost,
        light=sent.light,
    )


def _answers(parts: Sequence[Asked]) -> list[Answers]:
    packed: dict[str, list[Said]] = defaultdict(list)
    for model, said in (pair for part in parts for pair in part.answers.items()):
        packed[model].append(said)
    found = []
    for model, known in packed.items():
        lengths = sorted(array("q", b"".join(said.lengths for said in known)))
        found.append(
            Answers(
                model=model,
                calls=len(lengths),
                mean=sum(lengths) // len(lengths),
                median=lengths[len(lengths) // 2],
                most=lengths[(95 * len(lengths) - 1) // 100],
                cost=sum(said.cost for said in known),
            )
        )
    return sorted(found, key=lambda each: (-each.cost, each.model))


def _waiting(billed: Sequence[Billed], lines: Iterable[Timeline], prices: Catalogue) -> tuple[int, Money, Money]:
    unattended = {id(line) for line in lines if not _is_attended(line)}
    if not unattended:
        return 0, 0, 0
    alone = [each for each in billed if id(each.line) in unattended]
    batch = [cost(each.reply.metered, at=each.reply.at, catalogue=prices, batch=True).total for each in alone]
    return len(alone), sum([each.bill.total for each in alone]), sum(batch)


def _is_attended(line: Timeline) -> bool:
    """Whether a person sat before it: not started by a program, and no prompt in it was given by one."""
    if (line.entrypoint or "").startswith(_UNATTENDED):
        return False
    typed = [event for event in line.events if type(event) is Typed]
    return line.agent is not None or not typed or any(event.by_person for event in typed)
