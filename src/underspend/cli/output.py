"""What commands share: options of reports, tables under 100 columns, JSON, CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Command = TypeVar("Command", bound=Callable[..., Any])

WIDTH = 99
MONEY_BAD, QUIET, LOUD = "red", "dim", "bold yellow"


def formats(command: Command) -> Command:
    """Adds `--json` and `--csv`; the command gets `form`: "table", "json" or "csv"."""
    command = click.option("--csv", "form", flag_value="csv", help="Write CSV.")(command)
    command = click.option("--json", "form", flag_value="json", help="Write JSON.")(command)
    return click.option("--table", "form", flag_value="table", default="table", hidden=True)(command)


def filters(command: Command) -> Command:
    """Adds the options that choose calls: `since`, `until`, `project`, `model`, `session`, and `timezone`."""
    options = (
        click.option("--since", metavar="WHEN", help="From a date, a time, today, week, month or an age: 7d, 12h."),
        click.option("--until", metavar="WHEN", help="Up to a time, or to the end of a date."),
        click.option("--project", metavar="NAME", help="Only this project."),
        click.option("--model", metavar="ID", help="Only this model."),
        click.option("--session", metavar="ID", help="Only this session; its first characters will do."),
        click.option("--timezone", metavar="ZONE", help="Zone of days and hours, as Europe/Berlin [default: yours]."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def console() -> Console:
    """Writes to standard output, in colour only on a terminal, never wider than 99 columns."""
    from rich.console import Console

    out = Console(highlight=False, emoji=False, markup=False)
    out.width = min(out.width, WIDTH) if out.is_terminal else WIDTH
    return out


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]], *, footer: Sequence[str] = ()) -> Table:
    """A plain table. A column is (heading, "l" or "r"); cells are text or rich renderables."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_footer=bool(footer), header_style="bold")
    for index, (heading, side) in enumerate(columns):
        right = side == "r"
        made.add_column(
            heading,
            justify="right" if right else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=len(heading) if right else None,
            footer=footer[index] if footer else "",
            footer_style="bold",
        )
    for row in rows:
        made.add_row(*(cell if not isinstance(cell, str) else _text(cell) for cell in row))  # type: ignore[arg-type]  # the caller's cells are renderable
    return made


def _text(cell: str) -> object:
    from rich.text import Text

    # The only amount below zero is a saving that was none: we made it dearer.
    return Text(cell, style=MONEY_BAD if cell.startswith("−$") else "")


def write_json(shape: object) -> None:
    """Prints indented JSON, every dollar exact."""
    from underspend.reports.shapes import dumps

    click.echo(dumps(shape, indent=2).decode())


def write_csv(shapes: Iterable[dict[str, Any]]) -> None:
    """Prints CSV with a header."""
    from underspend.reports.shapes import as_csv

    click.echo(as_csv(shapes), nl=False)


def fit(text: str | None, width: int, *, none: str = "—") -> str:
    """The text in at most so many characters, its middle left out where it is longer."""
    if not text:
        return none
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
