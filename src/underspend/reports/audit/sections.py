"""The parts of the long report after the findings, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from underspend.audit.categories import Category
from underspend.audit.groups import NO_SERVER, NO_SKILL
from underspend.audit.questions import Questions, Route
from underspend.audit.whole import Audit
from underspend.core.money import show
from underspend.reports import figures
from underspend.reports.audit.group_table import table_of
from underspend.reports.audit.layout import BOLD, LOUD, QUIET, Line, grid, heading, prose

if TYPE_CHECKING:
    from underspend.audit.explain_diff import Explained

Lines = Iterator[Line]

_FEW = 5
_RECENT_DAYS = 14
_TITLES = {
    "by_project": "project",
    "by_model": "model",
    "by_session": "session",
    "by_agent": "agent",
    "by_tool": "tool",
}
_OPTIONAL = {"by_skill": ("skill", NO_SKILL), "by_mcp_server": ("MCP server", NO_SERVER)}
_ROUTE = [("route", "l"), ("agent", "l"), ("replies", "r"), ("prompt", "r"), ("cached", "r"), ("paid", "r")]


def places(report: Audit) -> Lines:
    """By project, model, session, agent and tool, by skill and MCP server where there are any, by day of late."""
    yield from heading("Where it went")
    whole = report.totals.cost
    for name, title in _TITLES.items():
        yield from table_of(title, report.groups[name], whole)
    for name, (title, none) in _OPTIONAL.items():
        if set(report.groups[name]) - {none}:
            yield from table_of(title, report.groups[name], whole)
    days = report.groups["by_day"]
    title = "day" if len(days) <= _RECENT_DAYS else f"last {_RECENT_DAYS} active days"
    yield from table_of(title, days, whole, top=_RECENT_DAYS, names=list(days)[-_RECENT_DAYS:])
    if report.totals.nested:
        said = (
            f"{report.totals.nested:,} of these replies ({show(report.totals.nested_cost)}) are sub-agents' that only "
            "their parent's progress lines hold; ccusage counts them in `daily` alone."
        )
        yield from prose(said, style=QUIET)


def categories(report: Audit) -> Lines:
    """The five spending categories and what the rule cannot place."""
    yield from heading("What it was spent on")
    groups = report.groups["by_category"]
    names = [category.value for category in Category if groups[category.value].cost or groups[category.value].requests]
    yield from table_of("category", groups, report.totals.cost, names=names)
    yield from prose("By what each reply did: see docs/audit.md for the rule.", style=QUIET)


def questions(asked: Questions) -> Lines:
    """The four questions."""
    yield from heading("Four questions")
    yield Line("1. Which routes send the most, and is it cached?")
    yield from grid(_ROUTE, [_route(each) for each in asked.routes[:_FEW]], indent=3)
    yield Line("2. Which always use one model though part of their work only looks things up?")
    columns = [*_ROUTE[:3], ("model", "l"), ("looking up", "r"), ("paid", "r")]
    rows = [
        [each.project, each.agent, f"{each.calls:,}", each.models[0], show(each.light), show(each.cost)]
        for each in asked.one_model[:_FEW]
        if each.light
    ]
    yield from grid(columns, rows, indent=3)
    yield from () if rows else [Line("   None.", QUIET)]
    yield Line("3. How long are the answers?")
    lengths = [("model", "l"), ("replies", "r"), ("mean", "r"), ("median", "r"), ("95% under", "r"), ("paid", "r")]
    rows = [
        [
            each.model,
            f"{each.calls:,}",
            *(figures.tokens(n) for n in (each.mean, each.median, each.most)),
            show(each.cost),
        ]
        for each in asked.answers[:_FEW]
    ]
    yield from grid(lengths, rows, indent=3)
    yield Line("4. What could wait for batch prices?")
    waiting = asked.waiting
    if not waiting.calls:
        yield Line("   Nothing: a person sat before every session.", QUIET)
        return
    less = show(waiting.cost - waiting.at_batch_prices)
    said = (
        f"{waiting.calls:,} replies that no person waited for cost {show(waiting.cost)}; through the Batch API they "
        f"would have cost {less} less. Claude Code itself cannot send batches: this is for scripts of your own."
    )
    yield from prose(said, indent=3)


def _route(route: Route) -> list[str]:
    cached = figures.share(route.cached_tokens, route.prompt_tokens)
    counts = [f"{route.calls:,}", figures.tokens(route.prompt_tokens), cached, show(route.cost)]
    return [route.project or "—", route.agent, *counts]


def day(report: Audit) -> Lines:
    """The dearest day by activity."""
    if not report.timeline or report.day is None:
        return
    yield from heading(f"Your dearest day, {report.day}")
    rows = [
        [
            f"{report.days.clock(each.since):%H:%M}–{report.days.clock(each.until):%H:%M}",
            each.what,
            each.project or "—",
            f"{each.calls:,}",
            each.models[0] + (f" +{len(each.models) - 1}" if len(each.models) > 1 else ""),
            show(each.cost),
        ]
        for each in report.timeline
    ]
    columns = [("time", "l"), ("activity", "l"), ("project", "l"), ("calls", "r"), ("model", "l"), ("paid", "r")]
    footer = ["total", "", "", f"{sum(each.calls for each in report.timeline):,}", ""]
    yield from grid(columns, rows, footer=[*footer, show(sum(each.cost for each in report.timeline))])


def trends(report: Audit) -> Lines:
    """Week against week with causes of a rise, and the month's forecast."""
    found, ahead = report.trend, report.forecast
    if found is not None:
        changed = figures.change(found.now, found.before) or "no week before"
        stretch = "so far, against the same stretch of the week before" if found.partial else "against the week before"
        yield from heading(f"Week of {found.week}: {show(found.now)}, {changed} {stretch} ({show(found.before)})")
        if found.rose:
            rows = [[each.what, f"{'+' * (each.amount > 0)}{show(each.amount)}"] for each in found.causes]
            yield from grid([("cause", "l"), ("change", "r")], rows)
    if ahead is not None:
        yield Line("")
        by_end = f"{show(ahead.expected)} by its end at the pace of the last 28 days"
        yield from prose(f"{ahead.month}: {show(ahead.so_far)} so far, {by_end}.")


def reconciliation(report: Audit) -> Lines:
    """Our totals against Claude Code's own."""
    found = report.reconciled
    if not found:
        return
    client, ours = sum(each.client for each in found), sum(each.transcripts for each in found)
    yield from heading(f"Claude Code's own totals: {show(client)}, transcripts: {show(ours)} ({len(found):,} sessions)")
    calls: Counter[str] = Counter()
    dollars: Counter[str] = Counter()
    beyond = {cause.what for each in found for cause in each.causes if cause.beyond}
    for cause in (cause for each in found for cause in each.causes):
        calls[cause.what] += cause.calls
        dollars[cause.what] += cause.amount
    rows = [
        [
            name + (" (in neither)" if name in beyond else ""),
            f"{calls[name]:,}" if calls[name] else "·",
            show(dollars[name]),
        ]
        for name in sorted(dollars, key=lambda name: -abs(dollars[name]))
    ]
    yield from grid([("what the transcripts lack", "l"), ("calls", "r"), ("dollars", "r")], rows)


def gateway(report: Audit) -> Lines:
    """The gateway's ledger beside the transcripts."""
    found = report.gateway
    if found is None:
        return
    from underspend.audit.gateway_side import rows_of_both_sides

    yield from heading("Transcripts and the gateway's ledger, each reply once")
    made = rows_of_both_sides(found)
    rows = [
        [row.where, f"{row.calls:,}", *("·" if each is None else show(each) for each in (row.transcripts, row.gateway))]
        for row in made
    ]
    sums = (sum(row.transcripts or 0 for row in made), sum(row.gateway or 0 for row in made))
    footer = ["total", f"{sum(row.calls for row in made):,}", *map(show, sums)]
    yield from grid([("where", "l"), ("replies", "r"), ("transcripts", "r"), ("gateway", "r")], rows, footer=footer)
    alone = sum(each.cost for each in found.only_gateway)
    if alone:
        said = f"{show(alone)} that only the gateway saw was billed too and is in no total of this report."
        yield from prose(said, style=QUIET)


def reading(report: Audit) -> Lines:
    """What was read and what could not be."""
    yield Line("")
    yield Line(f"Read {report.files:,} files.", QUIET)
    if report.unknown:
        kinds = ", ".join(f"{name} ({count:,})" for name, count in sorted(report.unknown.items())[:_FEW])
        yield from prose(f"Entries of kinds this version does not know: {kinds}. They are not billed.", style=QUIET)
    for each in report.skipped[:_FEW]:
        yield from prose(f"Skipped: {each.place.file}:{each.place.line} {each.why}", style=LOUD)
    if len(report.skipped) > _FEW:
        yield Line(f"… and {len(report.skipped) - _FEW:,} more pieces: underspend audit --json", QUIET)


def difference(found: Explained) -> Lines:
    """What `--explain-diff` prints."""
    ours, theirs = show(found.ours), show(found.theirs)
    yield Line(f"Underspend {ours}, ccusage {found.kind} {theirs}: {_signed(found.ours - found.theirs)}", BOLD)
    yield Line("")
    rows = [[each.cause, f"{each.rows:,}", _signed(each.amount)] for each in found.causes]
    yield from grid([("why", "l"), ("rows", "r"), ("ours less theirs", "r")], rows)
    yield Line("")
    style = BOLD if found.residual == 0 else LOUD
    yield Line(f"Not explained: {show(found.residual)}", style)
    if not any(found.tokens.values()):
        yield Line("Tokens are equal in every row that both count.", QUIET)


def _signed(amount: int) -> str:
    return f"{'+' * (amount > 0)}{show(amount)}"
