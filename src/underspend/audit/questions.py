"""The four questions of a practical audit, asked of a user's own calls.

Which routes send the most, and is it cached? Which always use one model, and is their work light? How long are the
answers? What could wait for batch prices? A route is a project with the agent that worked in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from underspend.audit.bills import Billed
from underspend.audit.categories import Category
from underspend.audit.groups import agent_of
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


def ask(billed: Sequence[Billed], places: Mapping[str, Category], prices: Catalogue | None = None) -> Questions:
    """The four answers; `places` are the categories of the replies by message id."""
    routes = _routes(billed, places)
    one = [route for route in routes if len(route.models) == 1]
    return Questions(
        routes=tuple(sorted(routes, key=lambda route: (-route.prompt_tokens, route.project, route.agent))),
        one_model=tuple(sorted(one, key=lambda route: (-route.light, route.project, route.agent))),
        answers=tuple(_answers(billed)),
        waiting=_waiting(billed, prices or catalogue()),
    )


def _split(billed: Sequence[Billed], key: Callable[[Billed], str]) -> dict[str, list[Billed]]:
    found: dict[str, list[Billed]] = defaultdict(list)
    for each in billed:
        found[key(each)].append(each)
    return found


def _routes(billed: Sequence[Billed], places: Mapping[str, Category]) -> list[Route]:
    members: dict[tuple[str, str], list[Billed]] = defaultdict(list)
    for each in billed:
        members[each.line.project, agent_of(each)].append(each)
    return [_route(project, agent, calls, places) for (project, agent), calls in members.items()]


def _route(project: str, agent: str, calls: Sequence[Billed], places: Mapping[str, Category]) -> Route:
    used = [each.usage for each in calls]
    light = [each for each in calls if places.get(each.reply.message_id) is Category.SIMPLE]
    return Route(
        project=project,
        agent=agent,
        calls=len(calls),
        prompt_tokens=sum(usage.prompt for usage in used),
        cached_tokens=sum(usage.cache_read for usage in used),
        models=tuple(sorted({each.model for each in calls})),
        cost=sum(each.bill.total for each in calls),
        light=sum(each.bill.total for each in light),
    )


def _answers(billed: Sequence[Billed]) -> list[Answers]:
    found = []
    for model, calls in _split(billed, lambda each: each.model).items():
        lengths = sorted(each.usage.output + each.reply.unseen_output for each in calls)
        found.append(
            Answers(
                model=model,
                calls=len(calls),
                mean=sum(lengths) // len(lengths),
                median=lengths[len(lengths) // 2],
                most=lengths[(95 * len(lengths) - 1) // 100],
                cost=sum(each.bill.total for each in calls),
            )
        )
    return sorted(found, key=lambda each: (-each.cost, each.model))


def _waiting(billed: Sequence[Billed], prices: Catalogue) -> Waiting:
    lines = {id(each.line): each.line for each in billed}
    attended = {name: _is_attended(line) for name, line in lines.items()}
    alone = [each for each in billed if not attended[id(each.line)]]
    batch = [cost(each.reply.metered, at=each.reply.at, catalogue=prices, batch=True).total for each in alone]
    return Waiting(calls=len(alone), cost=sum(each.bill.total for each in alone), at_batch_prices=sum(batch))


def _is_attended(line: Timeline) -> bool:
    """Whether a person sat before it: not started by a program, and no prompt in it was given by one."""
    if (line.entrypoint or "").startswith(_UNATTENDED):
        return False
    typed = [event for event in line.events if isinstance(event, Typed)]
    return line.agent is not None or not typed or any(event.by_person for event in typed)
