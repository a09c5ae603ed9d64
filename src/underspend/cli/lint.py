"""`underspend lint`: what to cut from CLAUDE.md files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from underspend.advisors.claude_md import Remark, cuttable_tokens, lint
from underspend.cli.output import write_json

_NAMES = frozenset({"CLAUDE.md", "CLAUDE.local.md"})
_NOT_YOURS = frozenset({".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", "site-packages", "vendor"})


@click.command("lint", short_help="What to cut from CLAUDE.md files.")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True))
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(paths: Sequence[str], *, as_json: bool) -> None:
    """Print what costs tokens without helping, as file:line rule message.

    PATH is a file, or a folder to search for CLAUDE.md, CLAUDE.local.md and .claude/CLAUDE.md; the current folder by
    default. Exit code 0 if there is nothing to cut, 1 if there is, 2 on misuse.
    """
    files = list(dict.fromkeys(file for path in paths or (".",) for file in _files(path)))
    texts = {file: _read(file) for file in files}
    remarks = {file: lint(text, file) for file, text in texts.items()}
    faults = sum(not remark.optional for found in remarks.values() for remark in found)
    tokens = sum(cuttable_tokens(text, remarks[file]) for file, text in texts.items())
    if as_json:
        _write_json(remarks, tokens)
    else:
        _write_text(remarks, faults, tokens)
    if faults:
        raise SystemExit(1)


def _files(path: str) -> Iterator[str]:
    if not Path(path).is_dir():
        yield path
        return
    for folder, below, names in os.walk(path):
        below[:] = sorted(name for name in below if name not in _NOT_YOURS)
        yield from (os.path.normpath(Path(folder, name)) for name in sorted(_NAMES.intersection(names)))


def _read(file: str) -> str:
    try:
        return Path(file).read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from None


def _write_text(remarks: dict[str, list[Remark]], faults: int, tokens: int) -> None:
    for found in remarks.values():
        for remark in found:
            note = " (note)" if remark.optional else ""
            click.echo(f"{remark.path}:{remark.line} {remark.rule}{note} {remark.message}")
    if not remarks:
        click.echo("There is no CLAUDE.md here.", err=True)
    elif faults:
        some = "1 remark" if faults == 1 else f"{faults} remarks"
        click.echo(f"{some} on about {tokens:,} tokens that every session carries.", err=True)
    else:
        click.echo("Nothing to cut.", err=True)


def _write_json(remarks: dict[str, list[Remark]], tokens: int) -> None:
    shapes: list[dict[str, Any]] = [_shape(remark) for found in remarks.values() for remark in found]
    write_json({"files": list(remarks), "cuttable_tokens": tokens, "remarks": shapes})


def _shape(remark: Remark) -> dict[str, Any]:
    return {
        "path": remark.path,
        "line": remark.line,
        "last_line": remark.last_line,
        "rule": remark.rule,
        "section": remark.section,
        "message": remark.message,
        "optional": remark.optional,
    }
