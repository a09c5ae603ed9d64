"""What routing knows: classes of tasks, models, certificates, and what was proposed."""

from __future__ import annotations

from collections.abc import Iterator

from underspend.core.money import show
from underspend.reports import figures
from underspend.reports.routes import Class, Routes, name_of, routes
from underspend.web.http import Request, Response
from underspend.web.site import Site
from underspend.web.templating import render

_MODES = {
    "off": 'is off but for calls that ask for "auto"',
    "observe": "observes: it notes what it would have done",
    "advise": "advises: it says what it would have done",
    "certified": "acts where a class is certified",
    "aggressive": "acts where expected dollars say so",
}


async def routes_page(site: Site, request: Request) -> Response:  # noqa: ARG001  # every page takes the request
    """The page of routing."""
    made = await site.read(routes, site.settings.steps)
    promise = made.promise
    return render(
        "routes.html",
        {
            "url": site.url,
            "mode": _MODES[made.mode],
            "promise": f"at most {promise.epsilon:.0%} done worse, with confidence {1 - promise.delta:.0%}",
            "rows": [row for each in made.classes for row in _rows(each)],
            "papers": list(_papers(made)),
            "taken": [{"what": each.what, "done": each.applied, "calls": f"{each.calls:,}"} for each in made.taken],
        },
    )


def _rows(found: Class) -> Iterator[dict[str, str]]:
    for number, way in enumerate(found.ways):
        belief = way.belief
        yield {
            "task": "" if number else found.name,
            "model": name_of(way.arm),
            "results": f"{belief.results:,.0f}",
            "done": f"{belief.quality:.0%}",
            "least": f"{belief.quality_low:.0%}",
            "cost": figures.NONE if belief.cost is None else show(belief.cost),
        }


def _papers(made: Routes) -> Iterator[dict[str, str]]:
    for each in made.classes:
        for way in each.ways:
            for paper in way.papers:
                yield {
                    "task": each.name,
                    "instead_of": name_of(paper.instead_of),
                    "model": name_of(way.arm),
                    "standing": paper.standing.value,
                    "why": paper.why,
                }
