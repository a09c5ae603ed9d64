"""`underspend lint`: what to cut from CLAUDE.md files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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

    PATH is a file, or a folder; the current folder by default. Of a folder all that Claude Code reads when it is
    started there: CLAUDE.md, CLAUDE.local.md, .claude/CLAUDE.md and .claude/rules in it and in the folders above, your
    own and the administrator's, and what these import (@path); and those in the folders below, which are read with
    the files there. Exit code 0 if there is nothing to cut, 1 if there is, 2 on misuse.
    """
    files = _each_once(file for path in paths or (".",) for file in _files(path))
    texts = {file.path: _read(file.path) for file in files}
    remarks = {file.path: lint(texts[file.path], file.path, is_whole=file.is_whole) for file in files}
    if as_json:
        _write_json(files, texts, remarks)
    else:
        _write_text(files, texts, remarks)
    if any(not remark.optional for found in remarks.values() for remark in found):
        raise SystemExit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file to look at: whether it is read at the start of every session, and which file imports it.

    `is_whole` as for `lint`.
    """

    path: str
    at_start: bool = True
    named_by: str = ""
    is_whole: bool | None = None


def _each_once(files: Iterator[_File]) -> list[_File]:
    found: dict[str, _File] = {}
    for file in files:
        found.setdefault(os.path.realpath(file.path), file)
    return list(found.values())


def _files(path: str) -> Iterator[_File]:
    if not Path(path).is_dir():
        yield _File(path=path, is_whole=Path(path).name not in _NAMES or None)
        return
    yield from _at_start(path)
    for folder, below, names in os.walk(path):
        below[:] = sorted(name for name in below if name not in _NOT_YOURS)
        yield from (
            _File(path=os.path.normpath(Path(folder, name)), at_start=False)
            for name in sorted(_NAMES.intersection(names))
        )


def _at_start(path: str) -> Iterator[_File]:
    """What a session started in a folder reads, in the client's order; what is in the folder named as the user did."""
    from underspend.audit.memory_files import managed_file, memory_of
    from underspend.audit.surroundings import settings_of
    from underspend.readers.claude_code.roots import config_folders, home_of

    here = os.path.realpath(path)
    config = config_folders(os.environ)
    found = memory_of(
        [here],
        config_folders=config,
        managed=managed_file(sys.platform),
        settings=settings_of([*config, Path(here, ".claude")]),
        home=home_of(os.environ),
    )

    def shown(name: str) -> str:
        inside = Path(name).is_relative_to(here)
        return os.path.normpath(Path(path, Path(name).relative_to(here))) if inside else name

    for name in found.texts:
        named_by = found.named_by.get(name, "")
        yield _File(path=shown(name), named_by=shown(named_by) if named_by else "")


def _read(file: str) -> str:
    try:
        return Path(file).read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from None


def _write_text(files: Sequence[_File], texts: dict[str, str], remarks: dict[str, list[Remark]]) -> None:
    for found in remarks.values():
        for remark in found:
            note = " (note)" if remark.optional else ""
            click.echo(f"{remark.path}:{remark.line} {remark.rule}{note} {remark.message}")
    faults = sum(not remark.optional for found in remarks.values() for remark in found)
    if not files:
        click.echo("There is no CLAUDE.md here.", err=True)
    elif faults:
        some = "1 remark" if faults == 1 else f"{faults} remarks"
        always, later = (_to_cut(files, texts, remarks, at_start=each) for each in (True, False))
        said = [f"about {always:,} tokens that every session carries"] if always else []
        said += [f"about {later:,} that sessions read with files of their folders"] if later else []
        click.echo(f"{some} on {' and '.join(said)}.", err=True)
    else:
        click.echo("Nothing to cut.", err=True)


def _to_cut(files: Sequence[_File], texts: dict[str, str], remarks: dict[str, list[Remark]], *, at_start: bool) -> int:
    return sum(cuttable_tokens(texts[each.path], remarks[each.path]) for each in files if each.at_start is at_start)


def _write_json(files: Sequence[_File], texts: dict[str, str], remarks: dict[str, list[Remark]]) -> None:
    always, later = (_to_cut(files, texts, remarks, at_start=each) for each in (True, False))
    shapes: list[dict[str, Any]] = [_shape(remark) for found in remarks.values() for remark in found]
    reads = [{"path": each.path, "at_start": each.at_start, "imported_by": each.named_by or None} for each in files]
    write_json(
        {
            "files": [each.path for each in files],
            "reads": reads,
            "cuttable_tokens": always + later,
            "cuttable_tokens_at_start": always,
            "remarks": shapes,
        }
    )


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
