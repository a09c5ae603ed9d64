"""`underspend spend`: where the money went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from underspend.cli.output import LOUD, QUIET, console, filters, fit, formats, table, write_csv, write_json
from underspend.cli.reading import chosen, reading
from underspend.core import money
from underspend.core.usage import Lane
from underspend.reports import figures
from underspend.reports.lanes import EXTRA, LANE_NAMES
from underspend.reports.shapes import spend_shape
from underspend.reports.spend import By, Spend, spend
from underspend.reports.sums import COST_LANES, Sums

if TYPE_CHECKING:
    from rich.console import Console

_LANES = (("fresh", Lane.INPUT), ("write 5m", Lane.CACHE_WRITE_5M), ("write 1h", Lane.CACHE_WRITE_1H))
_KEY_WIDTH = 28


@click.command("spend", short_help="Where the money went, by day, model, session, project …")
@click.option(
    "--by", type=click.Choice([each.value for each in By]), default="day", show_default=True, help="Group by."
)
@filters
@formats
def command(by: str, form: str, timezone: str | None, **choice: str | None) -> None:
    """Tokens by lane and dollars, grouped.

    Saved is without us less paid; below zero where the gateway made it dearer.
    """
    with reading(timezone) as ledger:
        report = spend(ledger.engine, by=By(by), where=chosen(ledger, **choice), tz=ledger.tz)
    if form == "json":
        write_json(spend_shape(report))
    elif form == "csv":
        write_csv(spend_shape(report)["rows"])
    else:
        _show(report)


def _show(report: Spend) -> None:
    out = console()
    if not report.rows:
        out.print("No calls here yet. `underspend up` starts the gateway that records them.")
        return
    columns = [(report.by.value, "l"), ("calls", "r"), *((name, "r") for name, _ in _LANES)]
    columns += [("read", "r"), ("output", "r"), ("without us", "r"), ("saved", "r"), ("paid", "r")]
    rows = [_cells(fit(row.key, _KEY_WIDTH, none=f"(no {report.by})"), row.sums) for row in report.rows]
    footer = _cells("total", report.total) if len(rows) > 1 else ()
    out.print(table(columns, rows, footer=footer))
    out.print()
    _show_lanes(out, report.total)
    _show_warnings(out, report)


def _cells(name: str, sums: Sums) -> list[str]:
    counts = [sums.tokens.lane(lane) for _, lane in _LANES] + [sums.tokens.cache_read, sums.tokens.output]
    paid = money.show(sums.paid)
    if sums.unpriced:
        paid = f"{paid} *" if sums.paid else f"{figures.UNPRICED} *"
    amounts = [money.show(sums.without_us), figures.saved(sums.saved), paid]
    return [name, f"{sums.calls:,}", *(figures.tokens(count) if count else "·" for count in counts), *amounts]


def _show_lanes(out: Console, sums: Sums) -> None:
    rows = [
        [
            LANE_NAMES[lane],
            "" if lane == EXTRA else figures.tokens(sums.tokens.lane(Lane(lane))),
            money.show(sums.lanes.get(lane, 0)),
            figures.share(sums.lanes.get(lane, 0), sums.paid),
        ]
        for lane in COST_LANES
        if sums.lanes.get(lane, 0) or (lane != EXTRA and sums.tokens.lane(Lane(lane)))
    ]
    if rows:
        out.print(table([("lane", "l"), ("tokens", "r"), ("paid", "r"), ("share", "r")], rows))
        out.print()


def _show_warnings(out: Console, report: Spend) -> None:
    total = report.total
    out.print(f"How we know: {figures.evidence_mix(total)}. Times are {report.zone}.", style=QUIET)
    if total.answered:
        out.print(f"{figures.answered(total)}.")
    if total.plan:
        out.print(
            f"{money.show(total.plan)} of it was used on a subscription: what API prices would charge, not an invoice."
        )
    for each in report.unpriced:
        counted = f"{each.calls:,} call{'s' if each.calls != 1 else ''}"
        size = f"{figures.tokens(each.tokens.prompt)} tokens in, {figures.tokens(each.tokens.output)} out"
        out.print(f"* unpriced: {each.model} ({counted}, {size}) is in no total. Give it a price in", style=LOUD)
        out.print(f'  config.toml under [prices."{each.model}"].', style=LOUD)
