"""`underspend savings`: what was really saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from underspend.cli.output import QUIET, console, filters, formats, table, write_csv, write_json
from underspend.cli.reading import chosen, reading
from underspend.core import money
from underspend.reports import figures
from underspend.reports.savings import Holdout, Savings, Side, savings, savings_shape

if TYPE_CHECKING:
    from rich.console import Console


@click.command("savings", short_help="What was really saved: billed, simulated, and against sessions left alone.")
@filters
@formats
def command(form: str, timezone: str | None, **choice: str | None) -> None:
    """Three figures, never mixed.

    Billed is what the provider charged. Simulated is what the same calls would have cost without us, each strategy
    against a world without it. Measured compares sessions that were acted on with those left alone ([proof] holdout).
    """
    with reading(timezone) as ledger:
        made = savings(ledger.engine, chosen(ledger, **choice))
    if form == "json":
        write_json(savings_shape(made))
    elif form == "csv":
        write_csv(savings_shape(made)["simulated"]["by_strategy"])
    else:
        _show(made)


def _show(made: Savings) -> None:
    out = console()
    if not made.billed.calls:
        out.print("No calls here yet. `underspend up` starts the gateway that records them.")
        return
    billed = made.billed
    out.print(f"Billed     {money.show(billed.paid)} for {billed.calls:,} call{'s' if billed.calls != 1 else ''}.")
    out.print(
        f"Simulated  {money.show(billed.without_us)} without us: {figures.saved(billed.saved)} saved"
        f"{_share(billed.saved, billed.without_us)}."
    )
    out.print()
    _show_strategies(out, made)
    if made.noted.times:
        times = f"{made.noted.times:,} change{'s' if made.noted.times != 1 else ''} of model"
        out.print(f"Noted      {times} that routing would have made; expected to save {money.show(made.noted.amount)}.")
        out.print("The router only observes: strategies.auto_model.mode says more.", style=QUIET)
        out.print()
    _show_holdout(out, made.holdout)


def _show_strategies(out: Console, made: Savings) -> None:
    if not made.strategies:
        out.print("No strategy that is on has changed a call. `underspend whatif` shows what they would have done.")
        out.print()
        return
    rows = [[each.strategy, f"{each.edits:,}", figures.saved(each.amount)] for each in made.strategies]
    out.print(table([("strategy", "l"), ("edits", "r"), ("saved", "r")], rows))
    out.print("Each against a world without it, with a prompt cache of its own. Below zero it cost more.", style=QUIET)
    if made.billed.answered:
        out.print(f"{figures.answered(made.billed)}.", style=QUIET)
    out.print()


def _show_holdout(out: Console, held: Holdout | None) -> None:
    if held is None:
        out.print("Measured   nothing yet: no session was left alone. [proof] holdout = 0.1 leaves one in ten.")
        return
    rows = [_cells("acted on", held.acted), _cells("left alone", held.left_alone)]
    out.print(table([("sessions", "l"), ("n", "r"), ("turns", "r"), ("paid", "r"), ("a turn", "r")], rows))
    if held.low is None or held.high is None:
        out.print("Measured   too few sessions on one side to say anything.")
        return
    between = f"{figures.saved(held.low)} to {figures.saved(held.high)}"
    out.print(f"Measured   {figures.saved(held.saved_per_turn)} saved a turn (95 %: {between}).")


def _cells(name: str, side: Side) -> list[str]:
    return [name, f"{side.sessions:,}", f"{side.turns:,}", money.show(side.paid), money.show(side.per_turn)]


def _share(part: money.Money, whole: money.Money) -> str:
    return f" ({figures.share(part, whole)})" if whole > 0 and part else ""
