"""The audit as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from underspend.audit.findings import Ranked
from underspend.audit.totals import EXTRA, Totals
from underspend.audit.whole import Audit
from underspend.core.advisor import Urgency
from underspend.core.money import show
from underspend.reports import figures
from underspend.reports.audit import sections
from underspend.reports.audit.group_table import spent
from underspend.reports.audit.layout import BOLD, LOUD, QUIET, WIDTH, Line, grid, heading, prose, shortened
from underspend.reports.audit.plan_limits import blocks
from underspend.reports.lanes import LANE_NAMES

_URGENCIES = {
    Urgency.FIX_NOW: "Fix now",
    Urgency.HABIT: "Habits",
    Urgency.FYI: "For your information",
}
_SHORT_TOP = 3
_SHOWN_ROWS, _MOST_CELL = 200, 26

Lines = Iterator[Line]


def brief(report: Audit) -> Lines:
    """What bare `underspend` prints: the bill by lane, the weightiest findings, the next command."""
    yield from header(report)
    yield Line("")
    yield from lanes(report.totals)
    yield from _caveats(report)
    ranked = sorted(report.found.ranked, key=lambda each: -each.in_period)[:_SHORT_TOP]
    if ranked:
        yield from heading(_findings_heading(report))
        for each in ranked:
            yield from finding(each, fix=True)
    yield from _faults(report)
    more = len(report.found.ranked) - len(ranked)
    yield Line("")
    said = f"{more} more findings, and where it went" if more > 0 else "Where it went, by project, model and session"
    yield Line(f"{said}:  underspend audit", BOLD)


def full(report: Audit) -> Lines:
    """What `underspend audit` prints."""
    yield from header(report)
    yield Line("")
    yield from lanes(report.totals)
    yield from _caveats(report)
    yield from findings(report)
    yield from sections.places(report)
    yield from sections.categories(report)
    yield from sections.questions(report.questions)
    yield from sections.day(report)
    yield from blocks(report)
    yield from sections.trends(report)
    yield from sections.reconciliation(report)
    yield from sections.gateway(report)
    yield from sections.reading(report)


def header(report: Audit) -> Lines:
    """What was read, when it was, and what it came to."""
    days, pace = report.days, report.pace
    period = f"{days.day(report.first_at)} to {days.day(report.last_at)}"
    sessions, projects = len(report.groups["by_session"]), len(report.groups["by_project"])
    active = f"{pace.active} active day{'s' * (pace.active != 1)}"
    counted = f"{_counted(sessions, 'session')} in {_counted(projects, 'project')}"
    yield from prose(f"{spent(report.totals)} in Claude Code, {period} ({active}, {counted})", style=BOLD)
    yield from prose(report.paying.said, style=QUIET)


def lanes(totals: Totals) -> Lines:
    """The bill by lane."""
    rows = [
        [
            LANE_NAMES[name],
            figures.tokens(totals.tokens[name]) if name != EXTRA else "",
            show(amount),
            figures.share(amount, totals.cost),
        ]
        for name, amount in totals.lanes.items()
        if amount or totals.tokens.get(name)
    ]
    footer = ["total", figures.tokens(sum(totals.tokens.values())), show(totals.cost), f"{totals.requests:,} replies"]
    yield from grid([("lane", "l"), ("tokens", "r"), ("paid", "r"), ("share", "r")], rows, footer=footer)


def _caveats(report: Audit) -> Lines:
    totals = report.totals
    if totals.output_estimated:
        said = (
            f"Not in this bill: about {figures.tokens(totals.output_estimated)} output tokens, {show(totals.unseen)}, "
            "that Claude Code never wrote down (estimated from the text of unfinished records)."
        )
        yield from prose(said, style=QUIET)
    if report.cut:
        yield from prose(
            f"Not in this bill: {_counted(report.cut.calls, 'reply', 'replies')} cut before the end and asked again, "
            f"{show(report.cut.amount)} to {show(report.cut.at_most)} (estimated).",
            style=QUIET,
        )
    if totals.unpriced:
        yield from prose(
            f"{_counted(totals.unpriced, 'reply', 'replies')} of a model without a known price: in no total. "
            "`underspend prices` lists what is known; [prices] in config.toml takes your own.",
            style=LOUD,
        )


def findings(report: Audit) -> Lines:
    """All findings, by what they ask for."""
    ranked = report.found.ranked
    yield from heading(_findings_heading(report) if ranked else "Nothing found to save on")
    for urgency, title in _URGENCIES.items():
        of_kind = [each for each in ranked if each.finding.urgency is urgency]
        if of_kind:
            yield Line("")
            yield Line(title, BOLD)
            for each in of_kind:
                yield from finding(each, fix=True)
    yield from _faults(report)


def _findings_heading(report: Audit) -> str:
    found = report.found
    part = figures.share(found.in_period, report.totals.cost)
    return (
        f"Findings: {show(found.in_period)} of it ({part}) could have been less; about {show(found.per_month)} a month"
    )


def finding(ranked: Ranked, *, fix: bool) -> Lines:
    """A finding in a few lines."""
    one = ranked.finding
    amount = f"{show(ranked.per_month)}/month" if ranked.in_period else "—"
    yield from _hanging(f"{amount:>14}  ", one.title)
    yield from prose(one.why, indent=16)
    if fix and one.fix:
        first, *rest = one.fix.splitlines()
        yield from _hanging(" " * 16 + "→ ", first)
        yield from (Line(" " * 18 + each) for each in rest)
    parts = [f"{show(ranked.in_period)} in this period"] if one.amount else []
    parts += [f"{show(ranked.overlap)} more counted above"] if ranked.overlap else []
    said = ", ".join([*parts, f"{one.evidence.value}, confidence {one.confidence.value}"])
    yield from prose(said, indent=16, style=QUIET)
    if one.rows:
        yield Line(" " * 16 + f"{_counted(len(one.rows), 'row')}: underspend audit --show {one.id}", QUIET)


def _hanging(prefix: str, text: str) -> Lines:
    wrapped = [each.text.strip() for each in prose(text, indent=len(prefix))]
    for index, each in enumerate(wrapped):
        yield Line((prefix if not index else " " * len(prefix)) + each)


def _faults(report: Audit) -> Lines:
    for each in report.found.faults:
        yield from prose(f"{each.advisor} could not be looked at ({each.problem}).", style=LOUD)


def rows_behind(ranked: Ranked) -> Lines:
    """What `--show ID` prints: a finding in full, and the rows behind it."""
    one = ranked.finding
    yield from finding(ranked, fix=True)
    yield Line("")
    names = list(dict.fromkeys(name for row in one.rows for name in row))
    if not names:
        yield Line("There are no rows behind this finding.", QUIET)
        return
    shown = [{name: _cell(row.get(name, "")) for name in names} for row in one.rows[:_SHOWN_ROWS]]
    numeric = {name for name in names if all(isinstance(row.get(name, 0), int) for row in one.rows)}
    kept = _fitting(names, shown)
    columns = [(name, "r" if name in numeric else "l") for name in kept]
    yield from grid(columns, [[shortened(row[name], _MOST_CELL) for name in kept] for row in shown])
    if len(kept) < len(names):
        left = ", ".join(name for name in names if name not in kept)
        yield from prose(f"No room for {left}: underspend audit --show {one.id} --csv", style=QUIET)
    if len(one.rows) > _SHOWN_ROWS:
        yield Line(f"… and {len(one.rows) - _SHOWN_ROWS:,} more: underspend audit --json", QUIET)


def _fitting(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The columns that a line has room for: dollars always, then the first ones."""
    money = [name for name in names if any(row[name].startswith(("$", "−$")) for row in rows)]
    kept: set[str] = set()
    room = WIDTH + 2
    for name in dict.fromkeys([*money, *names]):
        width = max(len(name), *(min(len(row[name]), _MOST_CELL) for row in rows)) + 2
        if width <= room:
            kept.add(name)
            room -= width
    return [name for name in names if name in kept]


def _cell(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
