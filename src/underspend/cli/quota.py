"""`underspend quota`: keep the shares of a plan's limits that Claude Code hands to its status line."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from underspend.config import paths
from underspend.core.quota import Share, Window

_NAMES = {Window.FIVE_HOURS: "5 h", Window.SEVEN_DAYS: "7 d"}
_NONE_KNOWN = """\
No share of a plan's limits is known here. Claude Code tells them to its status line: in its settings.json, write
  "statusLine": {"type": "command", "command": "underspend quota"}
or, before a status line of your own,
  "statusLine": {"type": "command", "command": "underspend quota -- your-command"}"""


@click.command(
    "quota",
    short_help="Keep the shares of your plan's limits from Claude Code's status line.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("command_", metavar="[-- COMMAND]...", nargs=-1, type=click.UNPROCESSED)
def command(command_: Sequence[str]) -> None:
    """As a status line command: keep what Claude Code says of your plan's limits, for `underspend audit`.

    Reads the JSON that Claude Code hands to a status line and prints the shares; with COMMAND, gives that the same
    JSON and prints what it prints. On a terminal it prints the newest shares that are known. No text is kept.
    """
    from underspend.stores.quota_log import QuotaLog

    log = QuotaLog(paths.find().quota)
    if sys.stdin.isatty():
        _show(log.shares())
        return
    from underspend.readers.claude_code.quota import of_status_line

    raw = sys.stdin.buffer.read()
    shares = of_status_line(raw, time.time_ns() // 1000)
    log.note(shares)
    if command_:
        raise SystemExit(_pass_on(command_, raw))
    click.echo(" · ".join(f"{_NAMES[each.window]} {each.used_permille / 10:g}%" for each in shares))


def _pass_on(command_: Sequence[str], raw: bytes) -> int:
    try:
        return subprocess.run(command_, input=raw, check=False).returncode  # noqa: S603  # the user's own command
    except OSError as error:
        raise click.ClickException(f"{command_[0]} cannot be run: {error.strerror}") from None


def _show(shares: Sequence[Share]) -> None:
    from underspend.audit.quota import newest

    found = newest(shares)
    for window, share in sorted(found.items()):
        at, end = (datetime.fromtimestamp(each // 1_000_000, UTC) for each in (share.at, share.resets_at))
        said = f"at {at:%Y-%m-%d %H:%M} UTC ({share.source}); resets {end:%Y-%m-%d %H:%M} UTC"
        click.echo(f"{_NAMES[window]}  {share.used_permille / 10:g}%  {said}")
    if not found:
        click.echo(_NONE_KNOWN)
