"""`underspend budget`: how budgets stand, and raising or pausing one for a time. Works with and without a gateway."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import click

from underspend.cli import reading
from underspend.cli.output import console, fit, table, write_json
from underspend.config import Settings, load
from underspend.core.budgets import Budget
from underspend.core.errors import NotFoundError
from underspend.core.holds import Holds, Override
from underspend.core.money import Money, from_usd, show
from underspend.core.windows import HOUR, MINUTE, period
from underspend.reports import figures
from underspend.reports.budgets import Ledger, Row, budget_rows, budgets_shape, ends_in_words, standing_in_words
from underspend.reports.periods import clock_time, parse, zone

_AHEAD = re.compile(r"(\d{1,5})\s*(m|h|d|w)")
_CLOCK = re.compile(r"\d{1,2}:\d{2}")
_LENGTHS = {"m": MINUTE, "h": HOUR, "d": 24 * HOUR, "w": 168 * HOUR}
_MEMORY = "memory:"
_json = click.option("--json", "as_json", is_flag=True, help="As JSON.")
_account = click.option("--account", metavar="ACCOUNT", help="Only this account, as --json names it.")
_until = click.option(
    "--until",
    metavar="WHEN",
    help="Until a time, the end of a date (or today), or an age from now: 2h, 3d "
    "[default: the end of the budget's window; where it has none, an hour from now].",
)


@click.group("budget", invoke_without_command=True, short_help="How budgets stand; raise or pause one.")
@_json
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """How each budget stands: spent, held for calls in flight, left, and when it begins again.

    With a subcommand, change one for a time; a running gateway goes by that from the next call on.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = load()
    if not settings.budgets and not as_json:
        click.echo('There are no budgets. Write [budgets.day] with usd = "5.00" into config.toml; see docs/budgets.md.')
        return
    rows = _rows(settings) if settings.budgets else []
    if as_json:
        write_json(budgets_shape(rows))
        return
    columns = [("budget", "l"), ("cap", "l"), ("whose", "l"), ("spent", "r"), ("held", "r"), ("left", "r")]
    console().print(table([*columns, ("%", "r"), ("begins again", "l")], [_cells(row) for row in rows]))
    for row in rows:
        if said := standing_in_words(row):
            click.echo(f"{row.budget.name}{f' ({row.whose})' if row.whose else ''} is {said}.")


@command.command("raise")
@click.argument("name")
@click.option("--to", "cap", metavar="USD", help="The cap until then.")
@click.option("--by", "more", metavar="USD", help="So much more than the cap that the settings have.")
@_until
@_account
@_json
def raise_(  # noqa: PLR0913  # its options
    name: str, cap: str | None, more: str | None, until: str | None, account: str | None, *, as_json: bool
) -> None:
    """Raise a budget for a time. A raise never lowers."""
    if (cap is None) == (more is None):
        raise click.UsageError("Say how far: --to USD or --by USD.")
    with _open(name) as (settings, budget, holds):
        wanted = _amount(cap, "--to") if cap is not None else budget.cap + _amount(more or "", "--by")
        if wanted < budget.cap:
            raise click.BadParameter(f"the cap is {show(budget.cap)}, and a raise never lowers", param_hint="--to")
        _change(settings, budget, holds, wanted, until, account, as_json=as_json)


@command.command()
@click.argument("name")
@_until
@_account
@_json
def pause(name: str, until: str | None, account: str | None, *, as_json: bool) -> None:
    """Lift a budget's cap for a time: calls are counted, and none is stopped."""
    with _open(name) as (settings, budget, holds):
        _change(settings, budget, holds, None, until, account, as_json=as_json)


@command.command()
@click.argument("name")
@_account
@_json
def undo(name: str, account: str | None, *, as_json: bool) -> None:
    """Take a raise or a pause back."""
    with _open(name) as (settings, budget, holds):
        target = _target(budget, account)
        if not holds.withdraw(target):
            raise NotFoundError(kind="raise or pause of", name=target, mend="See `underspend budget`.")
        _tell(settings, budget, holds, as_json=as_json)


def _change(  # noqa: PLR0913, PLR0917  # what a change is made of
    settings: Settings,
    budget: Budget,
    holds: Holds,
    cap: Money | None,
    until: str | None,
    account: str | None,
    *,
    as_json: bool,
) -> None:
    holds.override(Override(_target(budget, account), cap, _instant(settings, budget, until)))
    _tell(settings, budget, holds, as_json=as_json)


def _tell(settings: Settings, budget: Budget, holds: Holds, *, as_json: bool) -> None:
    rows = [row for row in _rows_of(settings, holds) if row.budget is budget]
    if as_json:
        write_json(budgets_shape(rows))
        return
    said = next((said for row in rows if (said := standing_in_words(row))), "as the settings have it")
    cap = next((row.cap for row in rows if row.change is not None), rows[0].cap)
    click.echo(f"{budget.name} is {said}" + (f": {show(cap)}" if cap is not None else ""))


def _target(budget: Budget, account: str | None) -> str:
    if account is not None and not account.startswith(budget.series):
        raise click.BadParameter(f"{account} is no account of {budget.name}", param_hint="--account")
    return account or budget.name


def _amount(text: str, option: str) -> Money:
    try:
        return from_usd(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _instant(settings: Settings, budget: Budget, text: str | None) -> int:
    """The end of a change. Raises click.BadParameter for a time that is none, or is over."""
    now = reading.now()
    if text is None:
        return period(budget.window, now, budget.zone).ends or now + HOUR
    ahead = _AHEAD.fullmatch(text.strip().lower())
    try:
        found = now + int(ahead[1]) * _LENGTHS[ahead[2]] if ahead else _parsed(text, settings, now)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--until") from None
    if found <= now:
        raise click.BadParameter(f"{text} is over", param_hint="--until")
    return found


def _parsed(text: str, settings: Settings, now: int) -> int:
    """A time of day is the next one."""
    tz, said = zone(settings.report.timezone or None), text.strip()
    try:
        if _CLOCK.fullmatch(said):
            days = (clock_time(now + day * 24 * HOUR, tz).date() for day in (0, 1))
            return next(at for day in days if (at := parse(f"{day}T{said:0>5}", now=now, tz=tz)) > now)
        return parse(said, now=now, tz=tz, end=True)
    except (ValueError, StopIteration):
        raise ValueError(f"{text!r} is no time: write 18:00, 2026-11-20, 2026-11-20T14:00, today, 2h or 3d") from None


@contextmanager
def _open(name: str) -> Iterator[tuple[Settings, Budget, Holds]]:
    settings = load()
    budget = next((each for each in settings.budgets if each.name == name), None)
    if budget is None:
        known = ", ".join(each.name for each in settings.budgets) or "none; write [budgets.day] into config.toml"
        raise NotFoundError(kind="budget", name=name, mend=f"There are: {known}.")
    with _store(settings) as holds:
        yield settings, budget, holds


@contextmanager
def _store(settings: Settings) -> Iterator[Holds]:
    from underspend.stores.holds.choose import open_holds

    said = settings.budget_store
    if said.url == _MEMORY:
        raise click.UsageError(
            "These budgets are counted in the gateway's memory. To change them from here, leave [budget_store] url out."
        )
    settings.paths.data.mkdir(parents=True, exist_ok=True)
    holds = open_holds(said.url, settings.paths.data, prefix=said.prefix)
    try:
        yield holds
    finally:
        holds.close()


def _rows(settings: Settings) -> list[Row]:
    with _store(settings) as holds:
        return _rows_of(settings, holds)


def _rows_of(settings: Settings, holds: Holds) -> list[Row]:
    from underspend.pricing.catalogue import catalogue

    with reading.reading() as ledger:
        known = Ledger(ledger.engine, catalogue().with_overrides(settings.prices), settings.subscription.act)
        return budget_rows(settings.budgets, holds, ledger.now, ledger=known)


def _cells(row: Row) -> list[str]:
    return [
        fit(row.budget.name, 14),
        "paused" if row.cap is None else f"{show(row.cap)} {row.budget.window}",
        fit(row.whose, 18),
        show(row.spent),
        show(row.held),
        figures.NONE if row.left is None else show(row.left),
        figures.NONE if row.share is None else f"{row.share}",
        ends_in_words(row).partition(" (")[0],
    ]
