"""`underspend doctor`: look for what costs money or does not work."""

from __future__ import annotations

import os
from itertools import chain

import click

from underspend.config import load
from underspend.integrations.checks import Level, findings, utc_today
from underspend.integrations.provider_checks import provider_findings

_MARKS = {Level.OK: ("✓", "green"), Level.WARN: ("!", "yellow"), Level.FAIL: ("✗", "red")}


@click.command()
@click.option("--online", is_flag=True, help="Ask the configured providers too whether they answer; without any key.")
def command(*, online: bool) -> None:
    """Check folder, ledger, gateway, upstream, providers, Claude Code's settings and prices.

    Exit code 1 if something fails.
    """
    worst, settings = Level.OK, load()
    providers = provider_findings(settings, os.environ, online=online)
    for finding in chain(findings(settings, os.environ, utc_today()), providers):
        mark, colour = _MARKS[finding.level]
        click.echo(f"{click.style(mark, fg=colour)} {finding.what}")
        if finding.mend:
            click.echo(f"  → {finding.mend}")
        if finding.level is Level.FAIL:
            worst = Level.FAIL
    if worst is Level.FAIL:
        raise SystemExit(1)
