"""`underspend status`: how the running gateway is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from underspend.cli.gateway_link import get_json
from underspend.cli.output import console, write_json
from underspend.config import load
from underspend.core.errors import UnreachableError
from underspend.reports import figures
from underspend.web.address import base_url

_CROSSINGS = 5
_COUNTS = (("sent", "sent"), ("waiting", "waiting"), ("failed", "not delivered"), ("dropped", "dropped"))


@click.command("status", short_help="How the running gateway is.")
@click.option("--port", type=int, metavar="N", help="Where it listens [default: from the settings].")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(port: int | None, *, as_json: bool) -> None:
    """How the running gateway is. The exit code is 0 when one runs, 1 when none does."""
    settings = load(flags={"gateway.port": port})
    try:
        found = get_json(settings, "/_/api/status")
    except UnreachableError as error:
        if as_json:
            write_json({"running": False, "url": base_url(settings)})
        else:
            click.echo(str(error))
        raise SystemExit(1) from None
    if as_json:
        write_json({"running": True, "url": base_url(settings), **found})
        return
    out = console()
    for name, value in _lines(base_url(settings), found):
        out.print(f"{name:<12}{value}")


def _lines(url: str, found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "gateway", f"{found.get('listening') or url} → {found.get('upstream')}"
    yield "dashboard", f"{url}/_/"
    yield "version", f"{found.get('version')}, up for {_uptime(int(found.get('uptime_s') or 0))}"
    yield "calls", f"{found.get('calls', 0):,} since it started, {found.get('in_flight', 0):,} under way"
    latency = found.get("latency") or {}
    if latency.get("overhead_p50_us") is not None:
        half, most = (figures.length(latency[name]) for name in ("overhead_p50_us", "overhead_p99_us"))
        yield "added time", f"{half} for half of the calls, {most} for 99 of 100"
    for name in found.get("circuits") or ():
        yield "circuit", f"{name} fails and is left alone for a while; others of its chain are asked"
    yield from _budgets(found.get("budgets") or {})
    for what, times in (found.get("answers") or {}).items():
        yield "cache", f"{times:,} {what}"
    ledger = found.get("ledger") or {}
    if ledger:
        yield "ledger", _ledger(ledger)
    yield from _alerts(found)
    for fault in found.get("faults") or ():
        yield "fault", f"{fault['component']} ({fault['count']}×): {fault['message']}; calls went on"


def _budgets(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for crossing in (found.get("crossings") or ())[:_CROSSINGS]:
        yield "budget", str(crossing["words"])
    if found.get("late"):
        yield "budgets", f"{found['late']:,} ended calls are not counted yet: their store does not answer"


def _alerts(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for place in (found.get("alerts") or {}).get("places") or ():
        counts = [f"{place[name]:,} {says}" for name, says in _COUNTS if place[name]]
        wrong = f"; last error: {place['last_error']}" if place["last_error"] else ""
        yield "alerts", f"{place['name']} ({place['kind']}): {', '.join(counts) or 'none yet'}{wrong}"
    for pause in found.get("pauses") or ():
        whose = f"session {pause['session']}" if pause["session"] else "all calls"
        yield "paused", f"{whose}: {pause['words']}"


def _ledger(health: dict[str, Any]) -> str:
    if health["state"] == "ok":
        return "ok" if not health["waiting"] else f"ok, {health['waiting']:,} being written"
    where = {"spooling": "in the spool file", "memory": "in memory only"}.get(health["state"], health["state"])
    return f"cannot be written: {health['waiting']:,} records wait {where}; calls go on"


def _uptime(seconds: int) -> str:
    from underspend.reports import figures

    return figures.length(seconds * 1_000_000) if seconds else "less than a second"
