"""`underspend whatif --check`: how well the cache's rules predict the user's own bill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from underspend.cli.output import console, fit, table, write_json
from underspend.core.money import show

if TYPE_CHECKING:
    from underspend.audit.prediction_check import Check
    from underspend.core.history import History
    from underspend.pricing.catalogue import Catalogue

_MISSES_SHOWN = 10


def show_check(history: History, prices: Catalogue, *, begin: int | None, as_json: bool) -> None:
    """Predict every call from those before it, and print how far off that was for calls since `begin` (µs)."""
    from underspend.audit.prediction import predict
    from underspend.audit.prediction_check import check, check_shape

    predicted = predict(history, prices)
    made = check(each for each in predicted if begin is None or each.step.reply.at >= begin)
    if as_json:
        write_json(check_shape(made))
    elif made.every.calls:
        _show(made)
    else:
        click.echo("No calls recorded there.")


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
