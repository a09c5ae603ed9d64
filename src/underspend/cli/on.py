"""`underspend on`: point Claude Code at the gateway."""

from __future__ import annotations

import os

import click

from underspend.cli.settings_diff import show
from underspend.config import load
from underspend.integrations import claude_code, service


@click.command()
@click.option("--project", help="Name calls of this machine's sessions belong to; by default their folder's name.")
@click.option("--service", "keep_running", is_flag=True, help="Keep the gateway running, from login on.")
@click.option("--dry-run", is_flag=True, help="Show the change, make none.")
def command(project: str | None, *, keep_running: bool, dry_run: bool) -> None:
    """Write the gateway's address into Claude Code's settings, showing the exact change.

    Tool search stays on and requests say what they are for. `underspend off` restores the file to the byte.
    """
    settings = load()
    url = f"http://{settings.gateway.host}:{settings.gateway.port}" + (f"/p/{project}" if project else "")
    path = claude_code.settings_path(os.environ)
    change = claude_code.plan_on(path, url)
    if change.after == change.before and not keep_running:
        click.echo(f"{path} points at {url} already.")
        return
    show(change)
    if dry_run:
        click.echo("Nothing was changed (--dry-run).")
        return
    if keep_running:
        made = service.service(os.environ)
        service.install(made)
        click.echo(f"The gateway is kept running by {made.path}.")
    claude_code.turn_on(change, url, settings.paths.undo / "claude-code.json")
    click.echo(f"Claude Code now uses {url} in new sessions. Undo with `underspend off`.")
    if not keep_running and not _answers(settings.gateway.host, settings.gateway.port):
        click.echo(
            "The gateway is not running: start it with `underspend up` (or `underspend on --service`).", err=True
        )


def _answers(host: str, port: int) -> bool:
    import socket

    try:
        socket.create_connection((host, port), timeout=0.5).close()
    except OSError:
        return False
    return True
