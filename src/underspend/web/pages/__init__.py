"""SHELF: one page per file, each a function from reports to what its template shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from underspend.core.errors import NotFoundError
from underspend.web.http import Request, Response
from underspend.web.pages.budgets import budgets_page
from underspend.web.pages.call import call_page
from underspend.web.pages.overview import overview_page
from underspend.web.pages.routes import routes_page
from underspend.web.pages.session import session_page
from underspend.web.site import Site
from underspend.web.templating import static

PAGES: tuple[tuple[str, Callable[[Site, Request], Awaitable[Response]]], ...] = (
    ("calls/", call_page),
    ("sessions/", session_page),
)
"""What a path under `/_/` begins with, and its page."""


def handler(name: str) -> Callable[[Site, Request], Awaitable[Response]]:
    """The page of a path under `/_/`; raises NotFoundError for one that is none."""
    if not name:
        return overview_page
    if name.startswith("static/"):
        return _static
    if name == "routes":
        return routes_page
    if name == "budgets":
        return budgets_page
    for beginning, page in PAGES:
        if name.startswith(beginning) and name != beginning:
            return page
    raise NotFoundError(kind="page", name=f"/_/{name}", mend="The overview is at /_/.")


async def _static(_: Site, request: Request) -> Response:
    name = request.below("static/")
    found = static(name)
    if found is None:
        raise NotFoundError(kind="file", name=name, mend="The overview is at /_/.")
    return found
