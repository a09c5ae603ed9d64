"""Showing a change of somebody else's file before it is made."""

from __future__ import annotations

import difflib

import click

from underspend.integrations.claude_code import Change


def show(change: Change) -> None:
    """Print the exact difference, as `diff -u` would."""
    lines = difflib.unified_diff(
        (change.before or "").splitlines(keepends=True),
        (change.after or "").splitlines(keepends=True),
        fromfile=f"{change.path} (now)" if change.before is not None else "(no file)",
        tofile=str(change.path) if change.after is not None else "(no file)",
    )
    for line in lines:
        colour = {"+": "green", "-": "red"}.get(line[:1])
        click.secho(line if line.endswith("\n") else line + "\n", nl=False, fg=colour)
