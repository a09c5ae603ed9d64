"""`underspend alerts`: what was sent, what was not; a try of each place; and what is paused."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import click

from underspend.cli import reading
from underspend.cli.output import QUIET, console, fit, formats, table, write_csv, write_json
from underspend.config.alerts import read_alerts
from underspend.config.paths import find
from underspend.core.alerts import Alert, Kind, Severity
from underspend.core.errors import NotFoundError

if TYPE_CHECKING:
    from underspend.integrations.alerts.places import Place
    from underspend.integrations.alerts.record import Sent

_MOST = 30


_limit = click.option("--limit", type=click.IntRange(min=1), default=_MOST, show_default=True, help="So many at most.")
_failed = click.option("--failed", is_flag=True, help="Only those that did not get there.")


@click.group(invoke_without_command=True, short_help="What alerts were sent, and what failed; try each place.")
@_limit
@_failed
@formats
@click.pass_context
def command(context: click.Context, limit: int, form: str, *, failed: bool) -> None:
    """What alerts were sent where, and which did not get there and why, newest first."""
    if context.invoked_subcommand is None:
        _list(limit, form, failed=failed)


@command.command("log", short_help="What alerts were sent, and what failed: as without a word.")
@_limit
@_failed
@formats
def log(limit: int, form: str, *, failed: bool) -> None:
    """What alerts were sent where, and which did not get there and why, newest first."""
    _list(limit, form, failed=failed)


def _list(limit: int, form: str, *, failed: bool) -> None:
    from underspend.integrations.alerts.record import Record, State

    paths = find()
    kept = (sent for sent in Record(paths.data).read() if not failed or sent.state is not State.SENT)
    newest = list(reversed(deque(kept, maxlen=limit)))
    if form == "json":
        write_json([_flat(sent) for sent in newest])
    elif form == "csv":
        write_csv(_flat(sent) for sent in newest)
    else:
        _show(newest)


@command.command("test", short_help="Send a test to each place, or to NAME alone.")
@click.argument("name", required=False)
def test(name: str | None) -> None:
    """Send a test to each place of [[alerts.to]], or to NAME alone, now and once. The exit code is 1 if one fails."""
    import os

    from underspend.integrations.alerts.places import places_of

    paths = find()
    said = read_alerts(paths.config_file).to
    chosen = [place for place in said if name is None or place.name == name]
    if not chosen:
        known = ", ".join(place.name for place in said)
        mend = f"There are: {known}." if known else f"Add [[alerts.to]] to {paths.config_file}; see docs/alerts.md."
        raise NotFoundError(kind="place", name=name or "for alerts", mend=mend)
    failed = [place for place in places_of(chosen, os.environ) if not _try(place)]
    if failed:
        raise SystemExit(1)


@command.command("resume", short_help="Let a paused session go on; without a name, list what is paused.")
@click.argument("session", required=False)
@click.option("--all", "everything", is_flag=True, help="End the pause of all calls, and every session's.")
@click.option("--port", type=int, metavar="N", help="Where the gateway listens [default: from the settings].")
def resume(session: str | None, port: int | None, *, everything: bool) -> None:
    """Let SESSION (or the only one whose name begins so) go on; without it, list what is paused.

    For as long as a pause lasts the same is told, and not paused anew.
    """
    from underspend.cli.gateway_link import get_json, post_json
    from underspend.config import load

    settings = load(flags={"gateway.port": port}, steps=False)
    pauses = get_json(settings, "/_/api/status").get("pauses") or []
    if not session and not everything:
        _show_pauses(pauses, settings.report.timezone or None)
        return
    named = list(dict.fromkeys(pause["session"] for pause in pauses))
    for each in named if everything else [_only(session or "", [name for name in named if name is not None])]:
        post_json(settings, "/_/resume", {"session": each})
        click.echo("All calls go on." if each is None else f"Session {each} goes on.")
    if not named:
        click.echo("Nothing is paused.")


def _only(beginning: str, named: list[str]) -> str:
    found = [name for name in named if name == beginning] or [name for name in named if name.startswith(beginning)]
    if len(found) != 1:
        mend = f"Paused are: {', '.join(named)}." if named else "No session is paused."
        raise NotFoundError(kind="paused session", name=beginning, mend=mend)
    return found[0]


def _show_pauses(pauses: list[dict[str, Any]], timezone: str | None) -> None:
    from underspend.reports.periods import clock_time, zone

    if not pauses:
        click.echo("Nothing is paused.")
    for pause in pauses:
        whose = f"session {pause['session']}" if pause["session"] else "all calls"
        agent = f", agent {pause['agent']}" if pause["agent"] else ""
        until = clock_time(pause["until"], zone(timezone)).strftime("%H:%M")
        click.echo(f"{whose}{agent}, until {until}: {pause['words']}")


def _try(place: Place) -> bool:
    """Send one test and say how it went."""
    from underspend.core.errors import ConfigError
    from underspend.integrations.alerts.sending import NotSentError

    at = reading.now()
    words = "This is a test. Alerts of Underspend arrive here."
    alert = Alert(kind=Kind.TEST, subject=place.said.name, severity=Severity.INFO, words=words, at=at)
    try:
        place.sender.send(alert, at)
    except (NotSentError, ConfigError) as error:
        click.echo(f"{place.said.name} ({place.said.kind}): not sent. {error}")
        return False
    click.echo(f"{place.said.name} ({place.said.kind}): sent.")
    return True


def _flat(sent: Sent) -> dict[str, object]:
    from underspend.integrations.alerts.sending import shape

    return {
        "sent_at": sent.at,
        "to": sent.to,
        "state": sent.state.value,
        "tries": sent.tries,
        "error": sent.error,
        **shape(sent.alert),
    }


def _show(newest: list[Sent]) -> None:
    from underspend.reports.periods import clock_time, zone

    out = console()
    if not newest:
        out.print("No alert was sent yet. `underspend alerts test` tries each place of [[alerts.to]].")
        return
    tz = zone(_timezone())
    rows = [_row(sent, clock_time(sent.at, tz).strftime("%d %b %H:%M")) for sent in newest]
    out.print(table([("when", "l"), ("to", "l"), ("", "l"), ("", "l"), ("what", "l")], rows))
    lost = [sent for sent in newest if sent.error]
    for sent in lost[:5]:
        out.print(f"{sent.to}: {sent.error} (tried {sent.tries:,}×)", style=QUIET)


def _timezone() -> str | None:
    from underspend.config import load

    return load().report.timezone or None


def _row(sent: Sent, at: str) -> list[str]:
    return [at, fit(sent.to, 12), sent.state.value, sent.alert.severity.value, fit(sent.alert.words, 50)]
