"""`underspend tail`: calls as they happen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click

from underspend.cli.gateway_link import events
from underspend.cli.output import fit
from underspend.cli.reading import Reading, reading
from underspend.core.errors import UnreachableError
from underspend.core.money import from_usd
from underspend.core.usage import Lane, Usage
from underspend.reports import figures
from underspend.reports.entry import Entry
from underspend.reports.filters import OPEN
from underspend.reports.periods import parse, zone
from underspend.reports.recent import recent, settled_after
from underspend.reports.shapes import dumps, entry_shape

_EVERY_SECONDS = 1.0
_HEAD = f"{'began':<9}{'call':<10}{'model':<21}{'for':<22}{'in':>7}{'cached':>8}{'out':>7}{'paid':>12}"


@click.command("tail", short_help="Calls as they happen.")
@click.option("-n", "--last", type=click.IntRange(0, 1000), default=5, show_default=True, help="Begin with so many.")
@click.option("--no-follow", is_flag=True, help="Stop after those.")
@click.option("--timezone", metavar="ZONE", help="Zone of times [default: yours].")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object per line.")
def command(last: int, timezone: str | None, *, no_follow: bool, as_json: bool) -> None:
    """Calls as they settle: told by the running gateway, else read from the ledger every second."""
    with reading(timezone) as ledger:
        if not as_json:
            click.echo(_HEAD)
        latest = recent(ledger.engine, limit=last) if last else ()
        for call in reversed(latest):
            _write(call, ledger, as_json=as_json)
        if not no_follow:
            for call in _follow(ledger):
                _write(call, ledger, as_json=as_json)


def _follow(ledger: Reading) -> Iterator[Entry]:
    at, seen = ledger.now, frozenset[str]()
    try:
        for shape in events(ledger.settings, "/_/live"):
            if shape["state"] != OPEN:
                call = from_shape(shape)
                at, seen = _marked(call, at, seen)
                yield call
    except UnreachableError as error:
        click.echo(f"{error} Reading the ledger every second until then.", err=True)
    yield from _poll(ledger, at, seen)


def _poll(ledger: Reading, at: int, seen: frozenset[str]) -> Iterator[Entry]:
    """Calls that ended at `at` or later, but for those `seen`."""
    while True:
        for call in settled_after(ledger.engine, at=at, seen=seen):
            at, seen = _marked(call, at, seen)
            yield call
        time.sleep(_EVERY_SECONDS)


def _marked(call: Entry, at: int, seen: frozenset[str]) -> tuple[int, frozenset[str]]:
    """The latest end shown, and the calls shown that ended then."""
    ended = call.ended_at or at
    if ended < at:
        return at, seen
    return ended, (seen if ended == at else frozenset()) | {call.id}


def from_shape(shape: dict[str, Any]) -> Entry:
    """The call of `reports.shapes.entry_shape`, as read back from JSON with Decimals."""
    plain = dict(shape)
    tokens, paid, without_us = plain.pop("tokens"), plain.pop("paid_usd"), plain.pop("without_us_usd")
    for derived in ("saved_usd", "shown"):
        plain.pop(derived, None)
    utc = zone("UTC")
    for name in ("started_at", "ended_at"):
        plain[name] = None if plain[name] is None else parse(plain[name], now=0, tz=utc)
    return Entry(
        **plain,
        tokens=Usage(*(tokens[f"{lane.value}_tokens"] for lane in Lane)),
        paid=from_usd(paid or 0),
        without_us=from_usd(without_us or 0),
    )


def _write(call: Entry, ledger: Reading, *, as_json: bool) -> None:
    if as_json:
        click.echo(dumps(entry_shape(call)).decode())
        return
    who = " · ".join(part for part in (call.project, call.agent_type) if part) or figures.short(call.session)
    line = (
        f"{figures.hour_and_minute(call.started_at, ledger.tz):<9}{figures.short(call.id):<10}"
        f"{fit(call.model, 19):<21}{fit(who, 20):<22}{figures.tokens(call.tokens.prompt):>7}"
        f"{figures.share(call.tokens.cache_read, call.tokens.prompt):>8}{figures.tokens(call.tokens.output):>7}"
        f"{figures.paid(call):>12}"
    )
    ended = "" if call.outcome in (None, "ok") else f"  {call.outcome}"
    if call.guessed:
        ended += "  estimated"
    click.echo(line + ended)
