"""The audit as one HTML file: its own styles, charts as SVG, nothing fetched from anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from underspend.audit.findings import Ranked
from underspend.audit.gateway_side import rows_of_both_sides
from underspend.audit.totals import Totals
from underspend.audit.whole import Audit
from underspend.core.advisor import Urgency
from underspend.core.money import Money, show
from underspend.reports import figures
from underspend.reports.audit.group_table import spent
from underspend.reports.lanes import LANE_NAMES
from underspend.reports.periods import Step, label
from underspend.web.charts.lane_bar import lane_bar
from underspend.web.charts.lane_stack import Column, lane_stack
from underspend.web.charts.markup import element

_STYLE = Path(__file__).parent / "static" / "style.css"
_MOST_DAYS, _MOST_WEEKS, _MOST_ROWS, _EVIDENCE_ROWS = 45, 60, 12, 50
_GROUPS = {
    "by_project": "Project",
    "by_model": "Model",
    "by_session": "Session",
    "by_agent": "Agent",
    "by_tool": "Tool",
    "by_category": "What it was spent on",
}
_TIP = re.compile(r' data-tip="([^"]*)">')
_URGENCIES = {
    Urgency.FIX_NOW: "Fix now",
    Urgency.HABIT: "Habits",
    Urgency.FYI: "For your information",
}
_OWN_STYLE = """
.stack a { cursor: default; }
.panel > h2 + .stack { margin-top: 18px; }
.finding { border-top: 1px solid var(--rule); padding: 14px 0; }
.finding { display: grid; grid-template-columns: 130px 1fr; gap: 4px 18px; }
.finding > .sum { text-align: right; font-size: 18px; color: var(--ink); font-weight: 600; }
.finding > .sum small { display: block; }
.finding h3 { margin: 0; font-size: 15px; font-weight: 600; }
.finding p { margin: 3px 0; max-width: 75ch; overflow-wrap: anywhere; }
.finding pre { background: var(--hover); border-radius: 6px; padding: 8px 12px; margin: 8px 0; font-size: 13px; }
.finding pre { white-space: pre-wrap; overflow-wrap: anywhere; user-select: all; }
.finding details { font-size: 13px; margin-top: 6px; }
.finding summary { color: var(--quiet); cursor: pointer; }
.finding details .wide { margin: 8px 0 0; padding: 0; max-height: 340px; overflow: auto; }
.finding details table { font-size: 12px; }
.finding details td { white-space: normal; overflow-wrap: anywhere; }
.kind { margin-top: 18px; font-size: 13px; color: var(--quiet); font-weight: 600; }
.name { overflow-wrap: anywhere; white-space: normal; min-width: 120px; }
@media (max-width: 560px) { .finding { grid-template-columns: 1fr; } .finding > .sum { text-align: left; } }
@media print { details > *:not(summary) { display: none; } }
"""


def audit_page(report: Audit) -> str:
    """The page as HTML text. It holds no prompt text, runs no script and asks no server for anything."""
    title = f"{spent(report.totals)} in Claude Code"
    head = element(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        ),
        element("title", f"Underspend: {title}"),
        element("style", Markup(_STYLE.read_text(encoding="utf-8") + _OWN_STYLE)),  # noqa: S704  # our own files
    )
    body = element("body", element("main", *_parts(report)), _foot(report))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _parts(report: Audit) -> Iterable[Markup]:
    yield _top(report)
    if not report.billed:
        yield element("p", "There are no replies in this period.", class_="panel")
        return
    yield _cards(report)
    yield _panel("Paid over time, by lane", _over_time(report), _legend(report.totals))
    yield _findings(report)
    yield _panel("The bill", _bill(report.totals))
    for first, second in (("by_project", "by_model"), ("by_agent", "by_tool")):
        yield element("div", _groups(report, first), _groups(report, second), class_="pair")
    yield _groups(report, "by_category")
    yield _groups(report, "by_session")
    yield from _day(report)
    yield from _reconciliation(report)
    yield from _gateway(report)


def _top(report: Audit) -> Markup:
    days = report.days
    when = f"{days.day(report.first_at)} to {days.day(report.last_at)}" if report.billed else "no replies"
    return element(
        "div",
        element("h1", f"Where the money went, {when}"),
        element("p", report.paying.said, class_="quiet"),
        class_="head",
        style="padding-top:26px",
    )


def _cards(report: Audit) -> Markup:
    totals, found, pace = report.totals, report.found, report.pace
    hit = totals.hit_share
    cached = figures.NONE if hit is None else f"{100 * hit:.1f}%"
    per_day = show(totals.cost // pace.active)
    paid = "API-equivalent" if report.paying.plan.is_subscription else "Paid"
    cards = [
        (paid, spent(totals), f"{totals.requests:,} replies, {per_day} per active day"),
        ("Could have been less", show(found.in_period), f"{figures.share(found.in_period, totals.cost)} of it"),
        ("That is per month", show(found.per_month), f"at {pace.month_days} active days a month"),
        ("Prompt read from cache", cached, f"{figures.tokens(totals.prompt)} prompt tokens"),
    ]
    return element("section", *(_card(*card) for card in cards), class_="cards")


def _card(name: str, value: str, fine: str) -> Markup:
    return element("article", element("h2", name), element("p", value, class_="big"), element("p", fine, class_="fine"))


def _panel(title: str, *children: Markup | str) -> Markup:
    return element("section", element("h2", title), *children, class_="panel")


def _over_time(report: Audit) -> Markup:
    """Columns by day, or by week or month where days would be too many; gaps are shown as gaps of nothing."""
    span = report.pace.span
    step = Step.DAY if span <= _MOST_DAYS else Step.WEEK if span <= 7 * _MOST_WEEKS else Step.MONTH
    sums: dict[str, Totals] = {}
    zone = report.days.zone
    at, day = report.first_at, 86_400_000_000
    while at <= report.last_at:
        sums.setdefault(label(at, step, zone), Totals())  # type: ignore[arg-type]  # the calendar's zone is one of zone()
        at += day
    for each in report.billed:
        name = label(each.reply.at, step, zone)  # type: ignore[arg-type]  # as above
        sums.setdefault(name, Totals()).add(each)
    columns = [
        Column(
            name=name[5:] if step is not Step.MONTH else name,
            title=name,
            href="#",
            lanes=each.lanes,
            calls=each.requests,
        )
        for name, each in sorted(sums.items())
    ]
    chart = lane_stack(columns, label=f"Dollars by {step.value}, stacked by lane")
    # The columns are no links here: there is no page behind them.
    return _titled(Markup(str(chart).replace('href="#"', 'tabindex="0"')))  # noqa: S704  # of our own making


def _titled(chart: Markup) -> Markup:
    """The chart with its tooltips as SVG titles, which need no script."""
    return Markup(_TIP.sub(r"><title>\1</title>", str(chart)))  # noqa: S704  # the tip was escaped when it was written


def _legend(totals: Totals) -> Markup:
    items = [
        element("li", element("i", class_=f"lane-{lane}"), LANE_NAMES[lane])
        for lane, amount in totals.lanes.items()
        if amount
    ]
    return element("ul", *items, class_="legend")


def _findings(report: Audit) -> Markup:
    parts: list[Markup] = []
    for urgency, title in _URGENCIES.items():
        of_kind = [each for each in report.found.ranked if each.finding.urgency is urgency]
        if of_kind:
            parts += [element("p", title, class_="kind"), *(_finding(each) for each in of_kind)]
    faults = [
        element("p", f"{each.advisor} could not be looked at ({each.problem}).", class_="bad")
        for each in report.found.faults
    ]
    nothing = [] if parts else [element("p", "Nothing found to save on.", class_="quiet")]
    return _panel("Findings", *parts, *nothing, *faults)


def _finding(ranked: Ranked) -> Markup:
    one = ranked.finding
    amount = show(ranked.per_month) if ranked.in_period else figures.NONE
    note = (
        f"{show(ranked.in_period)} in this period · {one.evidence.value} · confidence {one.confidence.value} · {one.id}"
    )
    children = [
        element("h3", one.title),
        element("p", one.why),
        *([element("pre", one.fix)] if one.fix else []),
        element("p", note, class_="fine"),
        *([_evidence(one.rows)] if one.rows else []),
    ]
    return element(
        "article",
        element("div", amount, element("small", "a month"), class_="sum"),
        element("div", *children),
        class_="finding",
    )


def _evidence(rows: Sequence[Mapping[str, str | int]]) -> Markup:
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = [[_said(row.get(name, "")) for name in names] for row in rows[:_EVIDENCE_ROWS]]
    count = f"The {len(rows):,} rows behind it"
    if len(rows) > _EVIDENCE_ROWS:
        count += f", the first {_EVIDENCE_ROWS}"
    return element("details", element("summary", count), _table(names, shown, figures_from=len(names)))


def _said(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def _bill(totals: Totals) -> Markup:
    rows = [
        [
            _named(LANE_NAMES[lane], f"lane-{lane}"),
            figures.tokens(totals.tokens[lane]) if lane in totals.tokens else "",
            show(amount),
            figures.share(amount, totals.cost),
        ]
        for lane, amount in totals.lanes.items()
        if amount or totals.tokens.get(lane)
    ]
    notes = []
    if totals.output_estimated:
        said = f"about {figures.tokens(totals.output_estimated)} output tokens, {show(totals.unseen)}"
        guess = element("span", said, class_="guess")
        notes.append(element("p", "Not in this bill: ", guess, ", which Claude Code never wrote down.", class_="fine"))
    if totals.unpriced:
        notes.append(element("p", f"{totals.unpriced:,} replies of a model without a known price.", class_="bad"))
    return element("div", _table(["Lane", "Tokens", "Paid", "Share"], rows), *notes)


def _named(name: str, class_: str) -> Markup:
    return element("span", element("i", class_=f"dot {class_}"), name)


def _groups(report: Audit, name: str) -> Markup:
    groups = {key: each for key, each in report.groups[name].items() if each.cost or each.requests}
    ordered = sorted(groups.items(), key=lambda item: -item[1].cost)
    most = ordered[0][1].cost if ordered else 0
    rows = [_group_row(key, each, report.totals.cost, most) for key, each in ordered[:_MOST_ROWS]]
    rest = ordered[_MOST_ROWS:]
    if rest:
        together = Totals()
        for _, each in rest:
            together.merge(each)
        # What many groups come to together has no place on the scale of one.
        rows.append(_group_row(f"{len(rest):,} more", together, report.totals.cost, 0))
    return _panel(_GROUPS[name], _table(["", "Replies", "Tokens", "Paid", "Share"], rows))


def _group_row(key: str, each: Totals, whole: Money, most: Money) -> list[Markup | str]:
    bar = [_titled(lane_bar(each.lanes, of=most))] if most else []
    name = element("div", key or figures.NONE, *bar, class_="name")
    counts = [f"{each.requests:,}", figures.tokens(sum(each.tokens.values()))]
    return [name, *counts, spent(each), figures.share(each.cost, whole)]


def _day(report: Audit) -> Iterable[Markup]:
    if not report.timeline:
        return
    clock = report.days.clock
    rows: list[list[Markup | str]] = [
        [
            f"{clock(each.since):%H:%M}–{clock(each.until):%H:%M}",
            each.what,
            each.project or figures.NONE,
            ", ".join(each.models),
            f"{each.calls:,}",
            show(each.cost),
        ]
        for each in report.timeline
    ]
    names = ["Time", "Activity", "Project", "Model", "Calls", "Paid"]
    yield _panel(f"The dearest day: {report.day}", _table(names, rows, figures_from=4))


def _reconciliation(report: Audit) -> Iterable[Markup]:
    rows: list[list[Markup | str]] = [
        [each.session, cause.what, f"{cause.calls:,}" if cause.calls else "", show(cause.amount)]
        for each in report.reconciled
        for cause in each.causes
    ]
    if rows:
        names = ["Session", "What its transcript lacks", "Calls", "Dollars"]
        yield _panel("Against Claude Code's own totals", _table(names, rows, figures_from=2))


def _gateway(report: Audit) -> Iterable[Markup]:
    if report.gateway is None:
        return
    names = ["Where", "Replies", "Transcripts", "Gateway"]
    rows: list[list[Markup | str]] = [
        [
            row.where,
            f"{row.calls:,}",
            *(show(each) if each is not None else "" for each in (row.transcripts, row.gateway)),
        ]
        for row in rows_of_both_sides(report.gateway)
    ]
    yield _panel("Transcripts and the gateway's ledger, each reply once", _table(names, rows))


def _table(names: Sequence[str], rows: Sequence[Sequence[Markup | str]], *, figures_from: int = 1) -> Markup:
    """A table; the columns from `figures_from` on are figures, to the right."""
    classes = [None if index < figures_from else "n" for index in range(len(names))]
    head = [element("th", name, class_=side, scope="col") for name, side in zip(names, classes, strict=True)]
    body = [
        element("tr", *(element("td", cell, class_=side) for cell, side in zip(row, classes, strict=True)))
        for row in rows
    ]
    made = element("table", element("thead", element("tr", *head)), element("tbody", *body))
    return element("div", made, class_="wide")


def _foot(report: Audit) -> Markup:
    zone = "local time" if report.days.zone is None else str(report.days.zone)
    made = f"Made by Underspend on {report.days.day(report.now)}, times in {zone}. {report.files:,} files read"
    skipped = f", {len(report.skipped):,} pieces skipped" if report.skipped else ""
    return element("footer", f"{made}{skipped}. Nothing in this page is fetched from anywhere.")
