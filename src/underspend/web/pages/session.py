"""One session: its calls in order, what each cost, and where its cache went cold."""

from __future__ import annotations

from urllib.parse import quote

from underspend.core.errors import NotFoundError
from underspend.core.money import show
from underspend.reports import figures
from underspend.reports.session import SessionCall, session_calls
from underspend.web.charts.lane_stack import Column, lane_stack
from underspend.web.http import Request, Response
from underspend.web.pages.rows import call_row
from underspend.web.site import Site
from underspend.web.templating import render


async def session_page(site: Site, request: Request) -> Response:
    """The session named by the address."""
    name = request.below("sessions/")
    found = await site.read(session_calls, name)
    if not found.calls:
        raise NotFoundError(kind="session", name=name, mend="The overview lists the costliest ones.")
    total = found.total
    context = {
        "url": site.url,
        "session": name,
        "project": next((each.entry.project for each in found.calls if each.entry.project), None),
        "paid": show(total.paid),
        "exact": figures.exact(total.paid),
        "without_us": show(total.without_us),
        "saved": figures.saved(total.saved),
        "touched": total.saved != 0,
        "made_dearer": total.saved < 0,
        "calls_count": f"{total.calls:,} call{'s' if total.calls != 1 else ''}",
        "hit": figures.share(total.tokens.cache_read, total.tokens.prompt),
        "evidence": figures.evidence_mix(total),
        "span": f"{figures.when(found.calls[0].entry.started_at, site.tz)} · {_length(found.calls)}",
        "strip": lane_stack(
            [_column(each, site) for each in found.calls], label="Dollars paid per call, by lane of the bill"
        ),
        "cold": [_cold(each, site) for each in found.calls if each.rewritten],
        "calls": [call_row(each.entry, site) for each in reversed(found.calls)],
        "more": found.more,
        "json": f"/_/api/calls?session={quote(name)}&limit=1000",
    }
    return render("session.html", context)


def _length(calls: tuple[SessionCall, ...]) -> str:
    return figures.length(calls[-1].entry.started_at - calls[0].entry.started_at)


def _cold(call: SessionCall, site: Site) -> dict[str, str]:
    return {
        "time": figures.hour_and_minute(call.entry.started_at, site.tz),
        "href": f"/_/calls/{call.entry.id}",
        "gap": figures.length(call.gap_us),
        "tokens": figures.tokens(call.rewritten),
        "cost": show(call.rewrite_paid),
        "who": call.entry.agent_type or call.entry.role or "",
    }


def _column(call: SessionCall, site: Site) -> Column:
    at = call.entry.started_at
    title = f"{figures.when(at, site.tz)} {call.entry.model or ''}".strip()
    if call.rewritten:
        title += f" (cache written again: {figures.tokens(call.rewritten)} tokens)"
    href = f"/_/calls/{call.entry.id}"
    return Column(name=figures.hour_and_minute(at, site.tz)[:5], title=title, href=href, lanes=call.lanes)
