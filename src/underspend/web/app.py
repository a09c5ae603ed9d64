"""Everything under `/_/`: pages, JSON, the live feed, health and metrics."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from underspend.config import Settings
from underspend.core.errors import NotFoundError
from underspend.core.holds import Holds
from underspend.web.http import ROOT, Application, Receive, Request, Response, Scope, Send, respond, text
from underspend.web.site import BadQueryError, Feed, Health, Site

if TYPE_CHECKING:
    from sqlalchemy import Engine

Handler: TypeAlias = Callable[[Site, Request], Awaitable[Response]]

_NOT_FOUND = 404
_API = f"{ROOT}api/"


def create(  # noqa: PLR0913  # what the pages show
    *,
    engine: Engine,
    live: Feed,
    status: Health,
    settings: Settings,
    now: Callable[[], int] | None = None,
    holds: Holds | None = None,
) -> Application:
    """The dashboard as a bare ASGI application for paths that begin with `/_/`.

    `now` gives microseconds since the epoch; the machine's clock without it. `holds` is where budgets are counted.
    Cheap to call: templates, charts and reports are imported when the first page is asked for, and the database is read
    in threads only.
    """
    site = Site(engine=engine, live=live, status=status, settings=settings, now=now or _machine_time, holds=holds)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _serve(site, scope, receive, send)

    return application


def _machine_time() -> int:
    return time.time_ns() // 1000


async def _serve(site: Site, scope: Scope, receive: Receive, send: Send) -> None:
    method, request = scope["method"], Request.of(scope)
    if method not in ("GET", "HEAD"):
        refusal = text(f"{method} is not for this address: everything under {ROOT} is only read.\n", status=405)
        await respond(send, refusal)
    elif request.path == f"{ROOT}live" and method == "GET":
        from underspend.web.stream import stream

        await stream(site, receive, send)
    else:
        await respond(send, await _answer(site, request), head=method == "HEAD")


async def _answer(site: Site, request: Request) -> Response:
    try:
        return await _handler(request.path)(site, request)
    except BadQueryError as error:
        return await _problem(site, request, 400, str(error))
    except NotFoundError as error:
        return await _problem(site, request, _NOT_FOUND, str(error))
    except Exception as error:  # noqa: BLE001  # a page that fails may not take the gateway's connection with it
        return await _problem(site, request, 500, f"{type(error).__name__}: {error}")


def _handler(path: str) -> Handler:
    if path == f"{ROOT}health":
        return _health
    if path.startswith(_API):
        from underspend.web import api

        return api.handler(path.removeprefix(_API))
    if path == f"{ROOT}metrics":
        from underspend.web.metrics import metrics

        return metrics
    from underspend.web import pages

    return pages.handler(path.removeprefix(ROOT))


async def _health(_: Site, __: Request) -> Response:
    return text("ok")


async def _problem(site: Site, request: Request, status: int, message: str) -> Response:
    if request.path.startswith(_API):
        from underspend.reports.shapes import dumps
        from underspend.web.http import json

        return json(dumps({"error": message}), status=status)
    from underspend.web.pages.problem import problem

    return problem(site, status, message)
