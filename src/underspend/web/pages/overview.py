"""The first page: what was paid, for what, by whom, and what is happening now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup

from underspend.core.money import show
from underspend.reports import figures
from underspend.reports.filters import Filter
from underspend.reports.lanes import EXTRA, LANE_NAMES
from underspend.reports.overview import Overview, Period, overview
from underspend.reports.periods import Step, clock_time
from underspend.reports.spend import Row, Spend
from underspend.reports.sums import COST_LANES, Sums
from underspend.reports.top import Session
from underspend.web.charts.lane_bar import lane_bar
from underspend.web.charts.lane_stack import Column, lane_stack
from underspend.web.http import Request, Response
from underspend.web.pages import alerts
from underspend.web.pages.budgets import cards
from underspend.web.pages.rows import call_row
from underspend.web.site import Site, filter_of
from underspend.web.templating import render

_STATE = ("since", "until", "project", "model", "session")
_TITLES = {Step.DAY: "Today", Step.WEEK: "This week", Step.MONTH: "This month"}
_BEFORE = {Step.DAY: "yesterday by this time", Step.WEEK: "last week by now", Step.MONTH: "last month by now"}
_RANGES = (("Today", "t", 1), ("7 days", "w", 7), ("30 days", "m", 30), ("90 days", "q", 90))
_STEADY = 0.005


@dataclass(frozen=True, slots=True)
class _Links:
    """Addresses of this page with something changed: all its state is in them."""

    query: dict[str, str]

    def to(self, **changes: str | None) -> str:
        said = {name: value for name, value in {**self.query, **changes}.items() if value}
        return f"/_/?{urlencode(said)}" if said else "/_/"


async def overview_page(site: Site, request: Request) -> Response:
    """The overview under the query's filter, or the way in for a newcomer."""
    where = filter_of(site, request)
    found = await site.read(overview, now=site.now(), where=where, tz=site.tz)
    links = _Links({name: request.query[name] for name in _STATE if request.query.get(name)})
    today, status = clock_time(site.now(), site.tz).date(), site.status.snapshot()
    context = {
        "url": site.url,
        "empty": found.empty,
        "ranges": _ranges(links, today),
        "chips": _chips(where, links),
        "periods": [_card(period) for period in found.periods],
        "warnings": [*alerts.paused(status, site), *_warnings(found.models, status)],
        "alerts": alerts.told(status, site),
        **_window(found, links, today),
        "calls": [call_row(call, site) for call in found.latest],
        "budgets": await cards(site),
    }
    return render("overview.html", context)


def _window(found: Overview, links: _Links, today: date) -> dict[str, Any]:
    whole = found.models.total
    first, last = found.daily[0][0], found.daily[-1][0]
    return {
        "title": "Today" if first == last == today else f"{_day(first, today)} – {_day(last, today)}",
        "total": _totals(whole),
        "chart": lane_stack(
            [_column(day, sums, links) for day, sums in found.daily], label="Dollars paid per day, by lane of the bill"
        ),
        "legend": _legend(whole),
        "hit": _hit(whole),
        "evidence": figures.evidence_mix(whole),
        "zone": found.models.zone,
        "models": _groups(found.models, "model", links),
        "projects": _groups(found.projects, "project", links),
        "sessions": _sessions(found.sessions),
        "json": f"/_/api/spend?{urlencode({'by': 'day', **links.query})}",
    }


def _ranges(links: _Links, today: date) -> list[dict[str, object]]:
    chosen = links.query.get("since"), links.query.get("until")
    made = []
    for name, key, length in _RANGES:
        since = (today - timedelta(days=length - 1)).isoformat()
        current = chosen == (since, None) or (length == 30 and chosen == (None, None))  # noqa: PLR2004  # the default
        made.append({"name": name, "key": key, "href": links.to(since=since, until=None), "current": current})
    return made


def _chips(where: Filter, links: _Links) -> list[dict[str, str]]:
    said = {"project": where.project, "model": where.model, "session": where.session}
    return [{"name": name, "value": value, "href": links.to(**{name: None})} for name, value in said.items() if value]


def _card(period: Period) -> dict[str, object]:
    now, before = period.now, period.before
    change = figures.change(now.paid, before.paid)
    rising = None
    if change and before.paid and abs(now.paid / before.paid - 1) > _STEADY:
        rising = now.paid > before.paid
    return {
        "title": _TITLES[period.step],
        **_totals(now),
        "change": change,
        # Spending more is bad news and says so in colour and in words.
        "rising": rising,
        "before": f"{show(before.paid)} {_BEFORE[period.step]}" if before.calls else f"nothing {_BEFORE[period.step]}",
    }


def _totals(sums: Sums) -> dict[str, object]:
    return {
        "paid": show(sums.paid),
        "exact": figures.exact(sums.paid),
        "without_us": show(sums.without_us),
        "saved": figures.saved(sums.saved),
        "made_dearer": sums.saved < 0,
        "touched": sums.saved != 0,
        "calls": _calls(sums.calls),
        "tokens": figures.tokens(sums.tokens.prompt + sums.tokens.output),
        "estimated": sums.estimated > 0,
        "unpriced": sums.unpriced > 0,
        "plan": _plan(sums),
    }


def _plan(sums: Sums) -> str | None:
    if not sums.plan_calls:
        return None
    return "at API prices; on your subscription" if sums.plan == sums.paid else f"{show(sums.plan)} on a subscription"


def _calls(count: int) -> str:
    return f"{count:,} call{'s' if count != 1 else ''}"


def _column(day: date, sums: Sums, links: _Links) -> Column:
    name = day.isoformat()
    href = links.to(since=name, until=name)
    return Column(
        name=f"{day.day} {day:%b}", title=f"{day:%A} {day.day} {day:%B}", href=href, lanes=sums.lanes, calls=sums.calls
    )


def _day(day: date, today: date) -> str:
    return f"{day.day} {day:%b}" if day.year == today.year else f"{day.day} {day:%b %Y}"


def _legend(sums: Sums) -> list[dict[str, str]]:
    return [
        {
            "lane": lane,
            "name": LANE_NAMES[lane],
            "paid": show(sums.lanes.get(lane, 0)),
            "share": figures.share(sums.lanes.get(lane, 0), sums.paid),
            "tokens": "" if lane == EXTRA else figures.tokens(getattr(sums.tokens, lane)),
        }
        for lane in COST_LANES
        if sums.lanes.get(lane, 0) or (lane != EXTRA and getattr(sums.tokens, lane))
    ]


def _hit(sums: Sums) -> dict[str, object]:
    tokens = sums.tokens
    written = tokens.cache_write_5m + tokens.cache_write_1h
    return {
        "share": figures.share(tokens.cache_read, tokens.prompt),
        "percent": f"{100 * (sums.hit_share or 0):.1f}",
        "read": figures.tokens(tokens.cache_read),
        "written": figures.tokens(written),
        "fresh": figures.tokens(tokens.input),
        "write_paid": show(sums.lanes.get("cache_write_5m", 0) + sums.lanes.get("cache_write_1h", 0)),
    }


def _groups(report: Spend, kind: str, links: _Links) -> list[dict[str, object]]:
    most = max((row.sums.paid for row in report.rows), default=0)
    return [_group(row, kind, most, report.total, links) for row in report.rows[:8]]


def _group(row: Row, kind: str, most: int, whole: Sums, links: _Links) -> dict[str, object]:
    return {
        "name": row.key or f"(no {kind})",
        "href": links.to(**{kind: row.key}) if row.key else None,
        "calls": f"{row.sums.calls:,}",
        "tokens": figures.tokens(row.sums.tokens.prompt + row.sums.tokens.output),
        "paid": figures.UNPRICED if row.sums.unpriced and not row.sums.paid else show(row.sums.paid),
        "unpriced": row.sums.unpriced > 0,
        "share": figures.share(row.sums.paid, whole.paid),
        "bar": lane_bar(row.sums.lanes, of=most),
    }


def _sessions(sessions: Iterable[Session]) -> list[dict[str, object]]:
    listed = list(sessions)
    most = max((each.sums.paid for each in listed), default=0)
    return [
        {
            "name": figures.short(each.session),
            "href": f"/_/sessions/{quote(each.session, safe='')}",
            "project": each.project or figures.NONE,
            "models": ", ".join(each.models),
            "length": figures.length(each.last_at - each.first_at),
            "calls": f"{each.sums.calls:,}",
            "hit": figures.share(each.sums.tokens.cache_read, each.sums.tokens.prompt),
            "tokens": figures.tokens(each.sums.tokens.prompt + each.sums.tokens.output),
            "paid": show(each.sums.paid),
            "bar": lane_bar(each.sums.lanes, of=most),
        }
        for each in listed
    ]


def _warnings(report: Spend, status: dict[str, Any]) -> list[dict[str, object]]:
    total, found = report.total, list[dict[str, object]]()
    for each in report.unpriced:
        sizes = f"{_calls(each.calls)}, {figures.tokens(each.tokens.prompt + each.tokens.output)} tokens"
        mend = Markup('add <code>[prices."{}"]</code> to config.toml').format(each.model)
        found.append(
            {"kind": "bad", "text": f"unpriced: {each.model} ({sizes}) is missing from every total", "mend": mend}
        )
    if total.estimated:
        part = figures.share(total.evidence.get("estimated", 0), total.paid)
        text = f"{_calls(total.estimated)} ({part} of paid) are estimated: the reply's end was not seen"
        found.append({"kind": "note", "text": text, "mend": None})
    if total.answered:
        found.append({"kind": "note", "text": figures.answered(total), "mend": None})
    if total.plan_calls:
        text = f"{_calls(total.plan_calls)} ran on a subscription: their dollars are what API prices would charge"
        found.append({"kind": "note", "text": text, "mend": None})
    ledger = status.get("ledger") or {}
    if ledger.get("state", "ok") != "ok":
        text = f"the ledger cannot be written: {ledger['waiting']} records wait ({ledger['state']}); calls go on"
        found.append({"kind": "bad", "text": text, "mend": None})
    for fault in (status.get("faults") or [])[:3]:
        text = f"{fault['component']} failed {fault['count']}×: {fault['message']}; calls went on"
        found.append({"kind": "bad", "text": text, "mend": None})
    return found
