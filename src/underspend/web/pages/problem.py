"""What is shown when a page cannot be."""

from __future__ import annotations

from underspend.web.http import Response
from underspend.web.site import Site
from underspend.web.templating import render

_TITLES = {400: "That address makes no sense", 404: "Nothing here"}


def problem(site: Site, status: int, message: str) -> Response:
    """One line on what is wrong, and the way back."""
    title = _TITLES.get(status, "This page failed; the gateway goes on")
    return render("problem.html", {"title": title, "message": message, "url": site.url}, status=status)
