"""The five-hour blocks of a subscription, with the shares of its limits where they are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from underspend.audit.activity import Block
from underspend.audit.quota import by_block, is_running, newest
from underspend.audit.whole import Audit
from underspend.core.money import show
from underspend.core.quota import Share, Window
from underspend.reports import figures
from underspend.reports.audit.layout import QUIET, Line, grid, heading, prose

Lines = Iterator[Line]

_FEW = 5
_COLUMNS = [("block from", "l"), ("replies", "r"), ("tokens", "r"), ("API-equivalent", "r"), ("of your dearest", "r")]
_SHARE = ("of the limit", "r")
_NOT_KNOWN = (
    "Which share of your plan's limits a block took is not known: transcripts do not say. /usage in Claude Code shows "
    "the shares of now; with `underspend quota` as its status line command they are kept and shown here."
)
_KNOWN = (
    "Of the limit: what Claude Code was told at the time beside it, of all that the account had used in that window, "
    "here and elsewhere; what came later is not in it."
)


def blocks(report: Audit) -> Lines:
    """The five-hour blocks, where a subscription pays: the dearest, the newest, and those with a known share."""
    if not report.paying.plan.is_subscription or not report.blocks:
        return
    yield from heading("Five-hour blocks")
    known = by_block(report.blocks, report.quota)
    most = max(each.cost for each in report.blocks)
    columns = [
        ("block from", "l"),
        ("replies", "r"),
        ("tokens", "r"),
        ("API-equivalent", "r"),
        ("of your dearest", "r"),
    ]
    columns += [("of the limit", "r")] if known else []
    yield from grid(columns, [_row(report, each, most, known) for each in _chosen(report, known)])
    yield from prose(_KNOWN if known else _NOT_KNOWN, style=QUIET)
    for window, share in newest(report.quota).items():
        yield from prose(_said(report, window, share), style=QUIET)


def _chosen(report: Audit, known: Mapping[int, Share]) -> list[Block]:
    dearest = sorted(report.blocks, key=lambda each: -each.cost)[:_FEW]
    said = [each for each in report.blocks if each.since in known][-_FEW:]
    return sorted({*dearest, *said, report.blocks[-1]}, key=lambda each: each.since)


def _row(report: Audit, each: Block, most: int, known: Mapping[int, Share]) -> list[str]:
    cells = [
        f"{report.days.clock(each.since):%Y-%m-%d %H:%M}",
        f"{each.calls:,}",
        figures.tokens(each.tokens),
        show(each.cost),
        figures.share(each.cost, most),
    ]
    share = known.get(each.since)
    said = "·" if share is None else f"{share.used_permille / 10:g}% at {report.days.clock(share.at):%H:%M}"
    return [*cells, said] if known else cells


def _said(report: Audit, window: Window, share: Share) -> str:
    name = "five-hour" if window is Window.FIVE_HOURS else "seven-day"
    at, end = (f"{report.days.clock(each):%Y-%m-%d %H:%M}" for each in (share.at, share.resets_at))
    resets = f"which {'resets' if is_running(share, report.now) else 'was over'} {end}"
    return f"Last known of the {name} limit: {share.used_permille / 10:g}% at {at} ({share.source}), {resets}."
