"""`underspend doctor`: look for what costs money or does not work."""

from __future__ import annotations

import os

import click

from underspend.config import load
from underspend.integrations.checks import Level, findings, utc_today

_MARKS = {Level.OK: ("✓", "green"), Level.WARN: ("!", "yellow"), Level.FAIL: ("✗", "red")}


@click.command()
def command() -> None:
    """Check folder, ledger, gateway, upstream, Claude Code's settings and prices. Exit code 1 if something fails."""
    worst = Level.OK
    for finding in findings(load(), os.environ, utc_today()):
        mark, colour = _MARKS[finding.level]
        click.echo(f"{click.style(mark, fg=colour)} {finding.what}")
        if finding.mend:
            click.echo(f"  → {finding.mend}")
        if finding.level is Level.FAIL:
            worst = Level.FAIL
    if worst is Level.FAIL:
        raise SystemExit(1)
