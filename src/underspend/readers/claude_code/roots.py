"""Where Claude Code keeps its transcripts, and the files there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from underspend.core.history import Place, Skipped
from underspend.readers.claude_code.records import Source

_ENDING = ".jsonl"
_SET_ASIDE = (".orphaned", ".superseded")
_NO_TRANSCRIPTS = {"history.jsonl", "journal.jsonl"}
_DESKTOP = {
    "darwin": ("Library", "Application Support", "Claude"),
    "win32": ("AppData", "Roaming", "Claude"),
}
_DESKTOP_ELSEWHERE = (".config", "Claude")
_AGENT_SESSIONS = "local-agent-mode-sessions"


def default_roots(environ: Mapping[str, str], platform: str) -> list[Path]:
    """The folders in which transcripts are looked for, the ones that exist.

    `$CLAUDE_CONFIG_DIR` may name several, divided by commas, and then stands for all but Claude Desktop's.
    """
    home = home_of(environ)
    found = config_folders(environ)
    desktop = home.joinpath(*_DESKTOP.get(platform, _DESKTOP_ELSEWHERE)) / _AGENT_SESSIONS
    if desktop.is_dir():
        found.extend(sorted(_projects_below(desktop)))
    return [path for path in dict.fromkeys(found) if path.exists()]


def home_of(environ: Mapping[str, str]) -> Path:
    """The user's home folder."""
    return Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())


def config_folders(environ: Mapping[str, str]) -> list[Path]:
    """Claude Code's own folders, whether they exist or not."""
    named = [part.strip() for part in environ.get("CLAUDE_CONFIG_DIR", "").split(",") if part.strip()]
    home = home_of(environ)
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return [Path(part).expanduser() for part in named] or [config / "claude", home / ".claude"]


def _projects_below(folder: Path) -> Iterator[Path]:
    for where, folders, _ in os.walk(folder):
        if "projects" in folders:
            yield Path(where)
            folders.remove("projects")


def sources(roots: Sequence[Path], since: int | None = None) -> tuple[list[Source], list[Skipped]]:
    """Every transcript below the roots, each file once, and the folders that could not be looked into.

    `since` leaves out the files last written before it.
    """
    found: dict[tuple[int, int] | bytes, Source] = {}
    skipped: list[Skipped] = []
    for root in roots:
        below = root / "projects" if (root / "projects").is_dir() else root
        if below.is_file():
            _add(found, skipped, str(below), str(below.parent), since)
            continue
        for path in sorted(_walk(below, skipped), key=_in_order):
            _add(found, skipped, path, str(below), since)
    return list(found.values()), skipped


def _in_order(path: str) -> list[str]:
    return path.split(os.sep)  # noqa: PTH206  (as for the walk)


def _walk(folder: Path, skipped: list[Skipped]) -> Iterator[str]:
    # Strings from here on: there may be thousands of files, and paths take ten times as long.
    def refused(error: OSError) -> None:
        skipped.append(Skipped(place=Place(file=_shown(str(error.filename)), line=0), why=_why(error)))

    seen: set[tuple[int, int]] = set()
    for where, folders, files in os.walk(folder, onerror=refused, followlinks=True):
        try:
            state = os.stat(where)  # noqa: PTH116  (os.walk gives strings, and there may be thousands)
        except OSError:
            folders.clear()
            continue
        if state.st_ino and (state.st_dev, state.st_ino) in seen:
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        yield from (f"{where}{os.sep}{name}" for name in files if _is_transcript(name))


def _is_transcript(name: str) -> bool:
    return name.endswith(_ENDING) and name not in _NO_TRANSCRIPTS and not any(word in name for word in _SET_ASIDE)


def _add(
    found: dict[tuple[int, int] | bytes, Source], skipped: list[Skipped], path: str, root: str, since: int | None
) -> None:
    try:
        state = os.stat(path)  # noqa: PTH116
    except OSError as error:
        skipped.append(Skipped(place=Place(file=_shown(path), line=0), why=_why(error)))
        return
    modified = state.st_mtime_ns // 1000
    if since is not None and modified < since:
        return
    inside = path.removeprefix(root.rstrip(os.sep) + os.sep)
    folder = inside.split(os.sep, 1)[0] if os.sep in inside else os.path.basename(root)  # noqa: PTH119
    source = Source(
        raw_path=os.fsencode(path),
        project=_shown(folder),
        size=state.st_size,
        modified=modified,
        inode=state.st_ino,
        is_agent=os.path.basename(path).startswith("agent-"),  # noqa: PTH119
    )
    # The same file may be reached by a link or by two roots.
    found.setdefault((state.st_dev, state.st_ino) if state.st_ino else source.raw_path, source)


def _shown(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def _why(error: OSError) -> str:
    return f"cannot be read: {(error.strerror or str(error)).lower()}"
