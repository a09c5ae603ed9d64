"""`underspend top`: the costliest calls and sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from underspend.cli.output import console, filters, fit, formats, table, write_csv, write_json
from underspend.cli.reading import Reading, chosen, reading
from underspend.core import money
from underspend.reports import figures
from underspend.reports.entry import Entry
from underspend.reports.shapes import entry_shape, session_shape
from underspend.reports.top import Session, costliest_calls, costliest_sessions

if TYPE_CHECKING:
    from rich.console import Console

_OF = ("calls", "sessions", "both")


@click.command("top", short_help="The costliest calls and sessions.")
@click.option("--of", "kind", type=click.Choice(_OF), default="both", show_default=True, help="What to list.")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many of each.")
@filters
@formats
def command(kind: str, limit: int, form: str, timezone: str | None, **choice: str | None) -> None:
    """The costliest calls and sessions, the dearest first.

    `underspend explain ID` says what made a call dear; the ids here are long enough for it.
    """
    with reading(timezone) as ledger:
        where = chosen(ledger, **choice)
        sessions = costliest_sessions(ledger.engine, where=where, limit=limit) if kind != "calls" else ()
        calls = costliest_calls(ledger.engine, where=where, limit=limit) if kind != "sessions" else ()
    if form == "json":
        found = {"sessions": [session_shape(each) for each in sessions], "calls": [entry_shape(each) for each in calls]}
        write_json({name: shapes for name, shapes in found.items() if kind in (name, "both")})
    elif form == "csv":
        if kind == "both":
            raise click.UsageError("CSV holds one table: add --of calls or --of sessions.")
        write_csv([session_shape(each) for each in sessions] + [entry_shape(each) for each in calls])
    else:
        _show(ledger, sessions, calls)


def _show(ledger: Reading, sessions: Sequence[Session], calls: Sequence[Entry]) -> None:
    out = console()
    if not sessions and not calls:
        out.print("No calls here yet. `underspend up` starts the gateway that records them.")
        return
    if sessions:
        _show_sessions(out, sessions)
    if sessions and calls:
        out.print()
    if calls:
        _show_calls(out, ledger, calls)


def _show_sessions(out: Console, sessions: Sequence[Session]) -> None:
    columns = [("session", "l"), ("project", "l"), ("dearest model", "l"), ("lasted", "r")]
    columns += [("calls", "r"), ("cached", "r"), ("paid", "r")]
    rows = [
        [
            figures.short(each.session),
            fit(each.project, 22),
            fit(each.models[0] if each.models else None, 20),
            figures.length(each.last_at - each.first_at),
            f"{each.sums.calls:,}",
            figures.share(each.sums.tokens.cache_read, each.sums.tokens.prompt),
            money.show(each.sums.paid),
        ]
        for each in sessions
    ]
    out.print(table(columns, rows))


def _show_calls(out: Console, ledger: Reading, calls: Sequence[Entry]) -> None:
    columns = [("call", "l"), ("began", "l"), ("model", "l"), ("project", "l")]
    columns += [("in", "r"), ("cached", "r"), ("out", "r"), ("paid", "r")]
    rows = [
        [
            figures.short(each.id),
            figures.when(each.started_at, ledger.tz)[:16],
            fit(each.model, 18),
            fit(each.project, 14),
            figures.tokens(each.tokens.prompt),
            figures.share(each.tokens.cache_read, each.tokens.prompt),
            figures.tokens(each.tokens.output),
            figures.paid(each),
        ]
        for each in calls
    ]
    out.print(table(columns, rows))
