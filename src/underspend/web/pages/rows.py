"""A call as a row of a table, on every page that lists calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underspend.reports.entry import Entry
from underspend.web.stream import shown

if TYPE_CHECKING:
    from underspend.web.site import Site


def call_row(call: Entry, site: Site) -> dict[str, object]:
    """What `_calls.html` shows of a call."""
    return {
        "id": call.id,
        "href": f"/_/calls/{call.id}",
        "estimated": call.guessed,
        "unpriced": bool(call.unpriced),
        **shown(call, site),
    }
