"""`underspend audit`: where the money went and what to do, from the transcripts Claude Code wrote."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from underspend.cli.output import filters, write_csv, write_json
from underspend.core.errors import NotFoundError

if TYPE_CHECKING:
    from underspend.audit.whole import Audit
    from underspend.reports.audit.layout import Line

_PLANS = ("api", "pro", "max5", "max20")
_FORMS = ("json", "csv", "md")
_SLOW_BYTES = 20_000_000
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
    from underspend.readers.claude_code.collection import without_collection

    # What is imported, read and found holds no cycles to speak of; to look for some takes longer than the audit itself,
    # and the process ends with it.
    with without_collection(), _progress() as progress:
        from underspend.cli.audit_run import Run

        run = Run(options, now=_now(), short=short)
        report = run.report(progress)
        if report is None and options.get("form") != "json":
            _say_nothing_there(run.roots)
            return
        try:
            _show(report or run.nothing(), options, short=short)
        finally:
            # Also where nobody reads on (`| head`): the next run would do all of this again.
            run.keep(report)


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
            if done >= whole:
                bars.pop().__exit__(None, None, None)
                click.echo("\x1b[1A\x1b[2K", nl=False, err=True)

    yield told


def _now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


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
