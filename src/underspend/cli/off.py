"""`underspend off`: undo `underspend on`."""

from __future__ import annotations

import os

import click

from underspend.cli.settings_diff import show
from underspend.config import load
from underspend.core.errors import SettingsError
from underspend.integrations import claude_code, service


@click.command()
@click.option("--dry-run", is_flag=True, help="Show the change, make none.")
def command(*, dry_run: bool) -> None:
    """Give Claude Code's settings back as they were, to the byte.

    If the file was edited since, only what `on` put there is taken out.
    """
    record = load().paths.undo / "claude-code.json"
    change = claude_code.plan_off(record)
    if not dry_run:
        _stop_service()
    if change is None:
        click.echo("There is nothing to undo: `underspend on` has not changed anything here.")
        return
    show(change)
    if dry_run:
        click.echo("Nothing was changed (--dry-run).")
        return
    claude_code.turn_off(change, record)
    click.echo(f"{change.path} is as it was.")


def _stop_service() -> None:
    try:
        made = service.service(os.environ)
    except SettingsError:
        return  # no services on this platform, so none to stop
    if service.remove(made):
        click.echo(f"The gateway is no longer kept running; {made.path} is gone.")
