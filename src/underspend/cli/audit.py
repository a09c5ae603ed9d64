"""`underspend audit`: where the money went and what to do, from the transcripts Claude Code wrote."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from underspend.cli.output import filters, write_csv, write_json
from underspend.config import Settings, load
from underspend.core.errors import NotFoundError, StoreError
from underspend.reports.periods import parse, zone

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from underspend.audit.plan import Paying
    from underspend.audit.whole import Audit, Choice
    from underspend.core.history import History
    from underspend.reports.audit.layout import Line

_PLANS = ("api", "pro", "max5", "max20")
_FORMS = ("json", "csv", "md")
_SLOW_BYTES = 20_000_000
_DAY = 86_400_000_000
_STYLES: dict[str, dict[str, Any]] = {
    "": {},
    "bold": {"bold": True},
    "quiet": {"dim": True},
    "loud": {"fg": "yellow", "bold": True},
}


@click.command("audit", short_help="Where the money went and what to do, from Claude Code's transcripts")
@filters
@click.option("--json", "form", flag_value="json", help="Write JSON.")
@click.option("--csv", "form", flag_value="csv", help="Write CSV: one line for each day, project, model …")
@click.option("--md", "form", flag_value="md", help="Write Markdown.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write one HTML file with charts.")
@click.option("--show", metavar="ID", help="The rows behind one finding.")
@click.option(
    "--explain-diff",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Explain every dollar between this and a `ccusage … --json` file.",
)
@click.option("--root", "roots", multiple=True, type=click.Path(exists=True, path_type=Path), help="Read this instead.")
@click.option("--plan", type=click.Choice(_PLANS), help="What you pay with [default: found out].")
@click.option("--no-cache", is_flag=True, help="Read every transcript again.")
@click.option("--no-keep", is_flag=True, help="Keep no history in Underspend's own ledger.")
def command(**options: Any) -> None:
    """What Claude Code cost, where it went, and what to change.

    Reads transcripts, writes none. Without --root they are Claude Code's own (or $CLAUDE_CONFIG_DIR's), and what was
    read is kept in Underspend's ledger, since Claude Code deletes its transcripts after 30 days.
    """
    _run(options, short=False)


def bare() -> None:
    """What `underspend` without a command does: the bill, the weightiest findings, the next command."""
    _run({}, short=True)


def _run(options: Mapping[str, Any], *, short: bool) -> None:
    from underspend.readers.claude_code.reading import without_collection

    # What is read and found holds no cycles; to look for some takes longer than the audit itself, and the process ends
    # with it.
    with without_collection():
        _report(options, short=short)


def _report(options: Mapping[str, Any], *, short: bool) -> None:
    settings = load()
    roots, own = _roots(options)
    history = _read(roots, settings, cache=not options.get("no_cache"))
    with _ledger(settings, wanted=own and not options.get("no_keep")) as engine:
        if engine is not None:
            _recall(engine, history, roots)
        if not any(line.replies for line in history.timelines) and options.get("form") != "json":
            _say_nothing_there(roots)
            return
        report = _audited(history, settings, {**options, "short": short}, roots, engine)
        _show(report, options, short=short)
        if engine is not None:
            _keep(engine, report, roots)


def _roots(options: Mapping[str, Any]) -> tuple[list[Path], bool]:
    """The folders to read, and whether they are the user's own."""
    from underspend.readers.claude_code import default_roots

    named = list(options.get("roots") or ())
    return (named, False) if named else (default_roots(os.environ, sys.platform), True)


def _read(roots: Iterable[Path], settings: Settings, *, cache: bool) -> History:
    from underspend.readers.claude_code import read_history

    folder = settings.paths.data / "transcripts" if cache else None
    with _progress() as progress:
        return read_history(list(roots), cache=folder, progress=progress)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal, once there is much to read; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    bars: list[Any] = []

    def told(done: int, whole: int) -> None:
        if not bars and whole > _SLOW_BYTES:
            bars.append(click.progressbar(length=whole, label="Reading transcripts", file=sys.stderr))
            bars[0].__enter__()
        if bars:
            bars[0].update(done - bars[0].pos)

    try:
        yield told
    finally:
        for bar in bars:
            bar.__exit__(None, None, None)
            click.echo("\x1b[1A\x1b[2K", nl=False, err=True)


@contextmanager
def _ledger(settings: Settings, *, wanted: bool) -> Iterator[Engine | None]:
    """Underspend's own ledger, made where there is none; None, and a word of why, where it cannot be used."""
    if not wanted:
        yield None
        return
    from underspend.stores.database import open_database

    engine = None
    try:
        settings.paths.data.mkdir(parents=True, exist_ok=True)
        engine = open_database(settings.ledger.url)
    except (StoreError, OSError) as error:
        click.echo(f"underspend: history is not kept: {error}", err=True)
    try:
        yield engine
    finally:
        if engine is not None:
            engine.dispose()


def _recall(engine: Engine, history: History, roots: list[Path]) -> None:
    from underspend.audit.keep import recall
    from underspend.audit.surroundings import DEFAULT_RETENTION_DAYS

    known = {reply.message_id for _, reply in history.replies()}
    before = _now() - DEFAULT_RETENTION_DAYS * _DAY
    history.timelines += recall(engine, known=known, before=before, roots=roots)


def _keep(engine: Engine, report: Audit, roots: list[Path]) -> None:
    from sqlalchemy.exc import DatabaseError

    from underspend.audit.keep import keep

    subscription = report.paying.plan.is_subscription
    billing = "oauth" if subscription else "api_key" if report.paying.plan.value == "api" else None
    try:
        keep(engine, [each for each in report.billed if each.reply.place.line], roots=roots, billing=billing)
    except DatabaseError as error:
        click.echo(f"underspend: history is not kept: {error.orig}", err=True)


def _audited(
    history: History, settings: Settings, options: Mapping[str, Any], roots: list[Path], engine: Engine | None
) -> Audit:
    from underspend.advisors import BUILTIN
    from underspend.audit.rates import CatalogueRates
    from underspend.audit.surroundings import gather
    from underspend.audit.whole import Context, audit
    from underspend.pricing.catalogue import catalogue

    tz = zone(options.get("timezone") or settings.report.timezone or None)
    now = _now()
    prices = catalogue().with_overrides(settings.prices) if settings.prices else catalogue()
    folders = [root for root in roots if (root / "projects").is_dir()]
    around = gather(history, now=now, bills={}, rates=CatalogueRates(history, prices), config_folders=folders)
    context = Context(
        now=now,
        zone=tz,
        paying=_paying(options, around.settings, folders, engine),
        advisors=BUILTIN,
        choice=_choice(options, now, tz),
        prices=prices,
        short=bool(options.get("short")),
    )
    return audit(history, context, around=around)


def _paying(
    options: Mapping[str, Any],
    settings: Mapping[str, Mapping[str, object]],
    folders: list[Path],
    engine: Engine | None,
) -> Paying:
    from underspend.audit.plan import detect

    seen = _billing(engine) if engine is not None else ()
    return detect(told=options.get("plan"), environ=os.environ, settings=settings, config_folders=folders, billing=seen)


def _billing(engine: Engine) -> list[str]:
    """How the gateway saw calls being paid."""
    from sqlalchemy import select

    from underspend.audit.ledger_join import TRANSCRIPT
    from underspend.stores.schema import calls

    query = select(calls.c.billing).distinct().where(calls.c.endpoint != TRANSCRIPT, calls.c.billing.is_not(None))
    with engine.connect() as connection:
        return [str(row[0]) for row in connection.execute(query)]


def _now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def _choice(options: Mapping[str, Any], now: int, tz: Any) -> Choice:
    from underspend.audit.whole import Choice

    instants: dict[str, int | None] = {}
    for name in ("since", "until"):
        said = options.get(name)
        try:
            instants[name] = None if said is None else parse(said, now=now, tz=tz, end=name == "until")
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint=f"--{name}") from None
    return Choice(
        since=instants["since"],
        until=instants["until"],
        project=options.get("project"),
        model=options.get("model"),
        session=options.get("session"),
    )


def _show(report: Audit, options: Mapping[str, Any], *, short: bool) -> None:
    if options.get("explain_diff"):
        _show_difference(report, options)
    elif options.get("show"):
        _show_finding(report, options)
    elif options.get("html"):
        _write_html(report, options["html"])
    elif options.get("form") in _FORMS:
        _show_form(report, options["form"])
    else:
        from underspend.reports.audit.text import brief, full

        _print(brief(report) if short else full(report))


def _show_form(report: Audit, form: str) -> None:
    from underspend.reports.audit.shape import audit_shape, group_rows

    if form == "json":
        write_json(audit_shape(report))
    elif form == "csv":
        write_csv(group_rows(report))  # type: ignore[arg-type]  # mappings of plain values
    else:
        from underspend.reports.audit.markdown import markdown

        click.echo(markdown(report), nl=False)


def _show_difference(report: Audit, options: Mapping[str, Any]) -> None:
    from underspend.audit.ccusage_export import read_export
    from underspend.audit.explain_diff import explain_diff
    from underspend.reports.audit.sections import difference
    from underspend.reports.audit.shape import explained_shape

    found = explain_diff(report.billed, read_export(options["explain_diff"]), report.days, now=report.now)
    if options.get("form") == "json":
        write_json(explained_shape(found))
    else:
        _print(difference(found))


def _show_finding(report: Audit, options: Mapping[str, Any]) -> None:
    from underspend.reports.audit.shape import finding_shape
    from underspend.reports.audit.text import rows_behind

    name = options["show"]
    found = next((each for each in report.found.ranked if each.finding.id == name), None)
    if found is None:
        known = ", ".join(each.finding.id for each in report.found.ranked) or "none"
        raise NotFoundError(kind="finding", name=name, mend=f"There are: {known}.")
    if options.get("form") == "json":
        write_json(finding_shape(found))
    elif options.get("form") == "csv":
        write_csv([dict(row) for row in found.finding.rows])
    else:
        _print(rows_behind(found))


def _write_html(report: Audit, path: Path) -> None:
    from underspend.web.audit_page import audit_page

    page = audit_page(report)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
    click.echo(f"Wrote {path} ({len(page.encode()) // 1000:,} kB, no external requests).")


def _print(lines: Iterable[Line]) -> None:
    # click drops the styles where the output is no terminal.
    for line in lines:
        click.echo(click.style(line.text, **_STYLES[line.style]) if line.style else line.text)


def _say_nothing_there(roots: list[Path]) -> None:
    looked = ", ".join(str(root) for root in roots) or "~/.claude and ~/.config/claude"
    click.echo(f"No Claude Code transcripts here yet (looked in {looked}).")
    click.echo("  Use Claude Code once and come back, or name the folder:")
    click.echo("    CLAUDE_CONFIG_DIR=/path/to/.claude underspend     underspend audit --root /path/to/projects")
    click.echo("  To record calls as they happen, from any client:  underspend up")
