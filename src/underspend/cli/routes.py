"""`underspend routes`: what routing knows, class by class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from underspend.cli.output import QUIET, console, fit, formats, table, write_csv, write_json
from underspend.cli.reading import reading
from underspend.core import money
from underspend.reports import figures
from underspend.reports.routes import Routes, Way, flat, name_of, routes, routes_shape

if TYPE_CHECKING:
    from rich.console import Console

_MODES = {
    "off": 'Routing is off but for calls that ask for "auto".',
    "observe": "Routing observes: it notes what it would have done and changes no call that names a model.",
    "advise": "Routing advises: it says what it would have done and changes no call that names a model.",
    "certified": "Routing acts where a class is certified.",
    "aggressive": "Routing acts where expected dollars say so.",
}
_MOST = 12


@click.command("routes", short_help="What routing knows: classes of tasks, models, certificates.")
@formats
def command(form: str) -> None:
    """What each model is believed to do in each class of tasks, from your own outcomes, and what is certified.

    "done" is the share of tasks it did, "at least" the lower end of its interval, "a task" what one is expected to
    cost. A certificate says that at most so many tasks are done worse than by the other model.
    """
    with reading() as ledger:
        made = routes(ledger.engine, ledger.settings.steps)
    if form == "json":
        write_json(routes_shape(made))
    elif form == "csv":
        write_csv(flat(made))
    else:
        _show(made)


def _show(made: Routes) -> None:
    out = console()
    out.print(_MODES[made.mode])
    out.print()
    if not made.classes:
        out.print(
            "No outcomes are known yet. They come from checks that run after edits, from rejections and refusals,"
        )
        out.print("and from what you say yourself: POST /feedback.")
    else:
        _show_classes(out, made)
    _show_taken(out, made)


def _show_classes(out: Console, made: Routes) -> None:
    columns = [("class", "l"), ("model", "l"), ("results", "r"), ("done", "r"), ("at least", "r"), ("a task", "r")]
    rows = [
        ["" if number else fit(each.name, 26), fit(name_of(way.arm), 28), *_figures(way)]
        for each in made.classes
        for number, way in enumerate(each.ways)
    ]
    out.print(table(columns, rows))
    out.print()
    papers = list(_papers(made))
    for line in papers:
        out.print(line)
    if not papers:
        out.print("Nothing is certified: no task has been given to another model by chance yet.", style=QUIET)
    promise = made.promise
    out.print(
        f"A certificate: at most {promise.epsilon:.0%} done worse, with confidence {1 - promise.delta:.0%}.",
        style=QUIET,
    )


def _figures(way: Way) -> Iterator[str]:
    belief = way.belief
    yield f"{belief.results:,.0f}"
    yield f"{belief.quality:.0%}"
    yield f"{belief.quality_low:.0%}"
    yield figures.NONE if belief.cost is None else money.show(belief.cost)


def _papers(made: Routes) -> Iterator[str]:
    for each in made.classes:
        for way in each.ways:
            for paper in way.papers:
                yield f"{each.name}: {name_of(way.arm)} instead of {name_of(paper.instead_of)}"
                yield f"  {paper.standing.value}: {paper.why}" if paper.why else f"  {paper.standing.value}"


def _show_taken(out: Console, made: Routes) -> None:
    if not made.taken:
        return
    out.print()
    rows = [[fit(each.what, 70), "done" if each.applied else "noted", f"{each.calls:,}"] for each in made.taken[:_MOST]]
    out.print(table([("proposed", "l"), ("", "l"), ("calls", "r")], rows))
