"""`underspend whatif`: what another policy would have cost. Now: how well the cache's rules predict your own bill."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from underspend.cli import reading
from underspend.cli.output import console, fit, table, write_json
from underspend.config import load
from underspend.core.money import show
from underspend.reports.periods import parse, zone

if TYPE_CHECKING:
    from underspend.audit.prediction_check import Check
    from underspend.config import Settings

_MISSES_SHOWN = 10


@click.command("whatif", short_help="How well the cache's rules predict your own bill.")
@click.option("--check", "is_check", is_flag=True, help="Predict every recorded call from those before it.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--root", "roots", multiple=True, type=click.Path(exists=True, path_type=Path), help="Read this instead.")
@click.option("--since", metavar="WHEN", help="Calls from a date, a time, today, week, month or an age: 7d, 12h.")
@click.option("--timezone", metavar="ZONE", help="Zone of --since, as Europe/Berlin [default: yours].")
def command(*, is_check: bool, as_json: bool, roots: Sequence[Path], since: str | None, timezone: str | None) -> None:
    """Hold the prompt-cache simulator against what Claude Code's transcripts say was billed.

    Each call is predicted from the calls before it; calls before --since are read, but not counted.
    """
    if not is_check:
        raise click.UsageError("replay is not here yet; --check shows how well the cache's rules predict your bill.")
    settings = load()
    made = _checked(list(roots), settings, since=since, timezone=timezone)
    if as_json:
        from underspend.audit.prediction_check import check_shape

        write_json(check_shape(made))
    elif made.every.calls:
        _show(made)
    else:
        click.echo("No calls recorded there.")


def _checked(roots: list[Path], settings: Settings, *, since: str | None, timezone: str | None) -> Check:
    from underspend.audit.prediction import predict
    from underspend.audit.prediction_check import check
    from underspend.pricing.catalogue import catalogue
    from underspend.readers.claude_code import default_roots, read_history

    begin = _instant(since, timezone or settings.report.timezone or None)
    prices = catalogue().with_overrides(settings.prices) if settings.prices else catalogue()
    folders = roots or default_roots(os.environ, sys.platform)
    predicted = predict(read_history(folders, cache=settings.paths.data / "transcripts"), prices)
    return check(each for each in predicted if begin is None or each.step.reply.at >= begin)


def _instant(since: str | None, named: str | None) -> int | None:
    if since is None:
        return None
    try:
        return parse(since, now=reading.now(), tz=zone(named), end=False)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from None


def _show(made: Check) -> None:
    from underspend.audit.prediction_check import cause_rows

    every, determined = made.every, made.determined
    rows: list[Sequence[Any]] = [
        ("every call", f"{every.calls:,}", show(every.recorded), show(every.predicted), _off(every)),
        (
            "  that the rules determine",
            f"{determined.calls:,}",
            show(determined.recorded),
            show(determined.predicted),
            _off(determined),
        ),
    ]
    columns = (("", "l"), ("calls", "r"), ("recorded", "r"), ("predicted", "r"), ("off by", "r"))
    out = console()
    out.print(table(columns, rows))
    out.print()
    out.print(
        f"{_share(made.close, every.calls)} of calls within 2 % of their prompt; {made.inferred.calls:,} of them are "
        "first requests, taken as recorded."
    )
    out.print(
        f"{made.sessions_close:,} of {len(made.sessions):,} sessions within 1 % over the calls that are determined."
    )
    if made.misses:
        out.print("\nCalls that were not billed as predicted, and what they cost above it:")
        causes = [(words, f"{calls:,}", show(extra)) for words, calls, extra in cause_rows(made)]
        out.print(table((("cause", "l"), ("calls", "r"), ("extra", "r")), causes))
        _show_misses(made)


def _show_misses(made: Check) -> None:
    from underspend.audit.prediction_check import moment

    shown = made.misses[:_MISSES_SHOWN]
    rows = [
        (
            moment(miss.each.step.reply.at),
            fit(miss.each.step.line.session, 13),
            miss.cause.value,
            f"{miss.each.expected.cache_read:,}",
            f"{miss.each.recorded.cache_read:,}",
            show(miss.extra),
        )
        for miss in shown
    ]
    columns = (("when", "l"), ("session", "l"), ("cause", "l"), ("expected", "r"), ("read", "r"), ("extra", "r"))
    out = console()
    out.print(f"\nThe dearest {len(shown)} of {len(made.misses)} (all of them: --json):")
    out.print(table(columns, rows))


def _off(sums: Any) -> str:
    return _percent(sums.predicted - sums.recorded, sums.recorded) if sums.recorded else "—"


def _share(part: int, whole: int) -> str:
    return _percent(part, whole) if whole else "—"


def _percent(part: int, whole: int) -> str:
    hundredths = abs(part) * 10_000 // whole
    return f"{'−' if part < 0 else ''}{hundredths // 100}.{hundredths % 100:02d} %"
