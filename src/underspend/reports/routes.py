"""What routing knows: for each class of tasks what each model is believed to do, and how far it is from a guarantee."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select

from underspend.core.engine import Step
from underspend.core.strategy import State
from underspend.reports.shapes import Shape, usd
from underspend.routing.beliefs import Arm, Belief, Certificate
from underspend.routing.knowledge import Knowledge
from underspend.routing.rows import Row
from underspend.routing.standing import Promise
from underspend.stores.schema import decisions, routing
from underspend.strategies.auto_model import AutoModel

_PERCENT = 100
_COARSE = "/*"


@dataclass(frozen=True, slots=True)
class Way:
    """One arm in one class, and what is believed of it. `papers` say how it stands with taking it for another."""

    arm: Arm
    belief: Belief
    papers: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Class:
    """One class of tasks with every arm that has results in it, most results first."""

    name: str
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """How often the router proposed something, and whether it was done or only noted."""

    what: str
    applied: bool
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """All of it. `mode` is the router's, `state` its strategy's; a certificate keeps to `promise`."""

    mode: str
    state: str
    promise: Promise
    classes: tuple[Class, ...] = ()
    taken: tuple[Taken, ...] = ()


def routes(engine: Engine, steps: tuple[Step, ...]) -> Routes:
    """What the gateway has learned, from the ledger it writes it to."""
    step = next(step for step in steps if isinstance(step.strategy, AutoModel))
    router = step.strategy
    if not isinstance(router, AutoModel):
        raise TypeError("the router is no AutoModel")
    promise = Promise(epsilon=router.epsilon_percent / _PERCENT, delta=router.delta_percent / _PERCENT)
    with engine.connect() as connection:
        kept = connection.execute(select(routing.c.kind, routing.c.key, routing.c.value)).all()
        taken = tuple(_taken(connection))
    knowledge = Knowledge.from_rows((Row(*row) for row in kept), promise)
    return Routes(
        mode=router.mode.value if step.state is not State.OFF else "off",
        state=step.state.value,
        promise=promise,
        classes=tuple(_classes(knowledge)),
        taken=taken,
    )


def _classes(knowledge: Knowledge) -> Iterator[Class]:
    papers: dict[tuple[str, Arm], list[Certificate]] = {}
    for paper in knowledge.certificates():
        papers.setdefault((paper.task, paper.arm), []).append(paper)
    arms: dict[str, set[Arm]] = {}
    for task, arm in (*knowledge.statistics.tallies, *papers):
        if task and not task.endswith(_COARSE):
            arms.setdefault(task, set()).add(arm)
    for task in sorted(arms):
        ways = [
            Way(arm, knowledge.statistics.belief(task, arm), tuple(papers.get((task, arm), ()))) for arm in arms[task]
        ]
        yield Class(task, tuple(sorted(ways, key=lambda way: (-way.belief.results, name_of(way.arm)))))


def _taken(connection: Connection) -> Iterator[Taken]:
    """What was proposed, most often first."""
    is_said = func.coalesce(decisions.c.detail, decisions.c.why)
    count = func.count(func.distinct(decisions.c.call_id))
    wanted = (
        select(is_said, decisions.c.applied, count)
        .where(decisions.c.strategy == AutoModel.name)
        .group_by(is_said, decisions.c.applied)
        .order_by(count.desc(), is_said)
    )
    for what, applied, calls in connection.execute(wanted):
        yield Taken(str(what), bool(applied), int(calls))


def name_of(arm: Arm) -> str:
    """An arm as settings write it: `model`, `model@effort`, `provider:model`."""
    home = "" if arm.provider == "anthropic" else f"{arm.provider}:"
    return f"{home}{arm.model}" + (f"@{arm.effort}" if arm.effort else "")


def routes_shape(made: Routes) -> Shape:
    """The report as JSON. Rates are from 0 to 1; `needed` is null where the class's volume will not give it."""
    return {
        "mode": made.mode,
        "state": made.state,
        "epsilon": made.promise.epsilon,
        "delta": made.promise.delta,
        "classes": [{"task": each.name, "models": [_way_shape(way) for way in each.ways]} for each in made.classes],
        "proposed": [{"what": each.what, "applied": each.applied, "calls": each.calls} for each in made.taken],
    }


def flat(made: Routes) -> list[Shape]:
    """One row for each class and model, for CSV."""
    return [
        {"task": each.name, **{key: value for key, value in _way_shape(way).items() if key != "certificates"}}
        for each in made.classes
        for way in each.ways
    ]


def _way_shape(way: Way) -> Shape:
    belief = way.belief
    return {
        "model": name_of(way.arm),
        "results": belief.results,
        "quality": belief.quality,
        "quality_low": belief.quality_low,
        "cost_usd": None if belief.cost is None else usd(belief.cost),
        "certificates": [
            {
                "instead_of": name_of(paper.instead_of),
                "standing": paper.standing.value,
                "results": paper.results,
                "regrets": paper.regrets,
                "bound": paper.bound,
                "threshold": paper.threshold,
                "needed": paper.needed,
                "why": paper.why,
            }
            for paper in way.papers
        ],
    }
