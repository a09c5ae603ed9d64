"""`/_/api/`: the reports as JSON. Shapes are those of `reports.shapes`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from underspend.core.errors import NotFoundError
from underspend.reports.budgets import budgets_shape
from underspend.reports.explain import explain
from underspend.reports.recent import recent
from underspend.reports.routes import routes, routes_shape
from underspend.reports.shapes import dumps, entry_shape, explained_shape, session_shape, spend_shape
from underspend.reports.spend import By, spend
from underspend.reports.top import costliest_calls, costliest_sessions
from underspend.web.http import Request, Response, json
from underspend.web.site import BadQueryError, Site, filter_of, limit_of
from underspend.web.standings import standings

_CALLS = 50
_TOP = 10


def handler(name: str) -> Callable[[Site, Request], Awaitable[Response]]:
    """The handler of a path under `/_/api/`; raises NotFoundError for one that is none."""
    found = _HANDLERS.get(name)
    if found is None and name.startswith("calls/"):
        found = call
    if found is None:
        raise NotFoundError(kind="address", name=f"/_/api/{name}", mend=f"There are: {', '.join(_HANDLERS)}, calls/ID.")
    return found


async def status(site: Site, _: Request) -> Response:
    """How the gateway is."""
    return json(dumps(site.status.snapshot()))


async def spending(site: Site, request: Request) -> Response:
    """`?by=` one of `By`, and the filter."""
    try:
        by = By(request.query.get("by", By.DAY))
    except ValueError:
        raise BadQueryError(f"by: {request.query['by']!r} is none of {', '.join(By)}") from None
    report = await site.read(spend, by=by, where=filter_of(site, request), tz=site.tz)
    return json(dumps(spend_shape(report)))


async def latest(site: Site, request: Request) -> Response:
    """The latest calls: `?limit=` and the filter."""
    found = await site.read(recent, where=filter_of(site, request), limit=limit_of(request, _CALLS))
    return json(dumps({"calls": [entry_shape(each) for each in found]}))


async def call(site: Site, request: Request) -> Response:
    """One call, explained."""
    name = request.below("api/calls/")
    return json(dumps(explained_shape(await site.read(explain, name))))


async def top(site: Site, request: Request) -> Response:
    """The costliest calls and sessions: `?limit=` and the filter."""
    where, limit = filter_of(site, request), limit_of(request, _TOP)
    calls = await site.read(costliest_calls, where=where, limit=limit)
    sessions = await site.read(costliest_sessions, where=where, limit=limit)
    shape = {"calls": [entry_shape(each) for each in calls], "sessions": [session_shape(each) for each in sessions]}
    return json(dumps(shape))


async def routing(site: Site, _: Request) -> Response:
    """What routing knows."""
    return json(dumps(routes_shape(await site.read(routes, site.settings.steps))))


async def budgets(site: Site, _: Request) -> Response:
    """How budgets stand."""
    rows, problem = await standings(site)
    return json(dumps({**budgets_shape(rows), "problem": problem or None}))


_HANDLERS = {"status": status, "spend": spending, "calls": latest, "top": top, "routes": routing, "budgets": budgets}
