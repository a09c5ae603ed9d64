"""`underspend whatif`: what another policy would have cost, over the user's own recorded calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from underspend.cli import reading
from underspend.cli.output import write_json
from underspend.cli.whatif_check import show_check
from underspend.config import load
from underspend.reports.periods import parse, zone

if TYPE_CHECKING:
    from underspend.audit.replay.traffic import Tick, Traffic
    from underspend.config import Settings
    from underspend.core.history import History
    from underspend.pricing.catalogue import Catalogue
    from underspend.reports.audit.layout import Line
    from underspend.reports.whatif.result import WhatIf

_MOST_TRIED = 8_000
"""Calls up to which other strategies and habits are tried without being asked for."""

_STYLES: Mapping[str, Mapping[str, Any]] = {"bold": {"bold": True}, "quiet": {"dim": True}, "loud": {"fg": "yellow"}}
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("whatif", short_help="What another policy would have cost, over your own calls.")
@click.option("--policy", type=_FILE, help="A TOML file with [strategies.*] [default: what cannot alter replies].")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="As strategies.cache_ttl.state=off.")
@click.option("--since", metavar="WHEN", help="Count calls from a date, a time, today, week, month or an age: 7d, 12h.")
@click.option("--root", "roots", multiple=True, type=click.Path(exists=True, path_type=Path), help="Read this instead.")
@click.option("--ledger", is_flag=True, help="Replay what the gateway recorded, not Claude Code's transcripts.")
@click.option("--each/--no-each", default=None, help=f"Try all else, too [default: up to {_MOST_TRIED:,} calls].")
@click.option("--baseline", type=_FILE, help="An earlier --json: ends with 1 if this is worse.")
@click.option("--json", "form", flag_value="json", help="Write JSON.")
@click.option("--md", "form", flag_value="md", help="Write Markdown.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write one HTML file with a chart.")
@click.option("--check", "is_check", is_flag=True, help="How well the cache's rules predict your own bill.")
@click.option("--timezone", metavar="ZONE", help="Zone of --since, as Europe/Berlin [default: yours].")
def command(**options: Any) -> None:
    """Replay your recorded calls through a policy, with a simulated prompt cache, and price both worlds.

    Without --policy: what cannot alter what Claude is asked. Nothing is sent or changed. Calls
    before --since are replayed, since later ones follow from them, but not counted.
    """
    home = load()
    begin = _instant(options["since"], options["timezone"] or home.report.timezone or None)
    if options["is_check"]:
        show_check(
            _history(list(options["roots"]), home), _prices(home), begin=begin, as_json=options["form"] == "json"
        )
        return
    made = _replayed(home, options, begin)
    if made is None:
        click.echo("No calls recorded there.")
    else:
        _show(made, options)


def _prices(settings: Settings) -> Catalogue:
    from underspend.pricing.catalogue import catalogue

    return catalogue().with_overrides(settings.prices) if settings.prices else catalogue()


def _history(roots: list[Path], settings: Settings) -> History:
    from underspend.readers.claude_code import default_roots, read_history

    folders = roots or default_roots(os.environ, sys.platform)
    return read_history(folders, cache=settings.paths.data / "transcripts")


def _instant(since: str | None, named: str | None) -> int | None:
    if since is None:
        return None
    try:
        return parse(since, now=reading.now(), tz=zone(named), end=False)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from None


def _replayed(settings: Settings, options: Mapping[str, Any], begin: int | None) -> WhatIf | None:
    from underspend.audit.replay.undisturbed import undisturbed
    from underspend.audit.whatif import Replays, outcome
    from underspend.audit.whatif_findings import findings
    from underspend.audit.whatif_policy import policy
    from underspend.reports.whatif.result import WhatIf

    chosen = policy(options["policy"], options["settings"])
    with undisturbed():
        made = _traffic(settings, options, begin)
        if not any(asked.counted for asked in made.calls):
            return None
        tried = options["each"] if options["each"] is not None else len(made.calls) <= _MOST_TRIED
        with _progress() as ticks:
            replays = Replays(made, ticks)
            result = outcome(replays, chosen.steps, others=tried)
            found = findings(replays, result, chosen.steps) if tried else []
    return WhatIf(policy=chosen, outcome=result, findings=found, tried=tried)


def _traffic(settings: Settings, options: Mapping[str, Any], begin: int | None) -> Traffic:
    if options["ledger"]:
        from underspend.audit.replay.ledger import ledger_traffic

        with reading.reading(options["timezone"]) as found:
            return ledger_traffic(found.engine, _prices(settings), since=begin)
    from underspend.audit.replay.traffic import traffic

    return traffic(_history(list(options["roots"]), settings), _prices(settings), since=begin)


@contextmanager
def _progress() -> Iterator[Callable[[str], Tick]]:
    """A bar on standard error while replays run; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    out = Console(stderr=True)
    columns = (TextColumn("replaying"), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def named(name: str) -> Tick:
            bar.reset(task, description=name)

            def tick(done: int, of: int) -> None:
                bar.update(task, completed=done, total=of)

            return tick

        yield named


def _show(made: WhatIf, options: Mapping[str, Any]) -> None:
    from underspend.reports.whatif.baseline import compared, read_baseline, worse

    before = read_baseline(options["baseline"]) if options["baseline"] else None
    if options["html"]:
        _write_html(made, options["html"])
    elif options["form"] == "json":
        from underspend.reports.whatif.shape import whatif_shape

        write_json(whatif_shape(made))
    elif options["form"] == "md":
        from underspend.reports.whatif.markdown import markdown

        click.echo(markdown(made), nl=False)
    else:
        from underspend.reports.whatif.text import text

        _print(text(made))
    if before is not None:
        _print(compared(made, before), err=bool(options["form"]))
        if worse(made, before):
            sys.exit(1)


def _write_html(made: WhatIf, path: Path) -> None:
    from underspend.reports.whatif.html import html

    page = html(made)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
    click.echo(f"Wrote {path} ({len(page.encode()) // 1000:,} kB, no external requests).")


def _print(lines: Iterator[Line], *, err: bool = False) -> None:
    # click drops the styles where the output is no terminal.
    for line in lines:
        click.echo(click.style(line.text, **_STYLES[line.style]) if line.style else line.text, err=err)
