"""The audit as Markdown, for a pull request or a wiki."""

from __future__ import annotations

from collections.abc import Sequence

from underspend.audit.totals import EXTRA
from underspend.audit.whole import Audit
from underspend.core.money import show
from underspend.reports import figures
from underspend.reports.audit.group_table import spent
from underspend.reports.lanes import LANE_NAMES

_TOP = 10
_GROUPS = {
    "by_project": "Project",
    "by_model": "Model",
    "by_session": "Session",
    "by_agent": "Agent",
    "by_category": "Category",
}


def markdown(report: Audit) -> str:
    """The whole text: totals, findings with their fixes, and the dearest groups."""
    days = report.days
    period = f"{days.day(report.first_at)} to {days.day(report.last_at)}" if report.totals.requests else "no replies"
    parts = [f"# {spent(report.totals)} in Claude Code, {period}", f"*{report.paying.label}.*", _lanes(report)]
    parts += [*_findings(report)]
    for name, title in _GROUPS.items():
        groups = list(report.groups[name].items())[:_TOP]
        rows = [
            [key or "—", f"{each.requests:,}", spent(each), figures.share(each.cost, report.totals.cost)]
            for key, each in groups
            if each.cost or each.requests
        ]
        parts += [f"## By {title.lower()}", table([title, "Replies", "Paid", "Share"], rows)]
    return "\n\n".join(parts) + "\n"


def _lanes(report: Audit) -> str:
    totals = report.totals
    rows = [
        [
            LANE_NAMES[name],
            figures.tokens(totals.tokens[name]) if name != EXTRA else "",
            show(amount),
            figures.share(amount, totals.cost),
        ]
        for name, amount in totals.lanes.items()
        if amount
    ]
    return table(["Lane", "Tokens", "Paid", "Share"], rows)


def _findings(report: Audit) -> list[str]:
    found = report.found
    if not found.ranked:
        return ["## Findings", "None."]
    parts = [f"## Findings: {show(found.in_period)} in this period, about {show(found.per_month)} a month"]
    for each in found.ranked:
        one = each.finding
        parts.append(f"### {escaped(one.title)}: {show(each.per_month)} a month")
        parts.append(
            f"{escaped(one.why)} *{one.urgency.value}, {one.evidence.value}, confidence {one.confidence.value}, "
            f"{len(one.rows):,} rows, `{one.id}`*"
        )
        if one.fix:
            parts.append(_fenced(one.fix))
    return parts


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are figures."""
    lines = [names, ["---", *["--:"] * (len(names) - 1)], *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    for mark in "\\|`*_<>[]":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def _fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"
