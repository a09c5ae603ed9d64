"""What advisors may know besides the history: the client's settings and memory files, read here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from underspend.audit.rates import CatalogueRates
from underspend.core.advisor import Surroundings
from underspend.core.history import History

DEFAULT_RETENTION_DAYS = 30
"""After how many days Claude Code deletes transcripts unless `cleanupPeriodDays` says otherwise (its settings page)."""

_MOST_BYTES = 1_000_000
_SETTINGS = ("settings.json", "settings.local.json")
_MEMORY = ("CLAUDE.md", "CLAUDE.local.md", ".claude/CLAUDE.md")


def gather(
    directories: Iterable[str],
    *,
    now: int,
    config_folders: Sequence[Path] = (),
    managed: Path | None = None,
) -> Surroundings:
    """The surroundings of sessions, without bills: what cannot be read is left out, nothing is written.

    `directories` are those the sessions worked in: settings and memory files are looked for in those still there.
    `config_folders` are the client's own (`~/.claude`), `managed` a settings file an administrator wrote.
    """
    projects = [Path(name) for name in dict.fromkeys(directories) if name]
    settings = {
        str(path): found for path in _settings_files(config_folders, projects, managed) if (found := _table(path))
    }
    return Surroundings(
        now=now,
        bills={},
        rates=CatalogueRates(History()),
        settings=settings,
        memory_files=dict(_memory_files(config_folders, projects)),
        retention_days=_retention(settings, config_folders, managed),
    )


def settings_of(config_folders: Sequence[Path], managed: Path | None = None) -> dict[str, Mapping[str, object]]:
    """The user's own settings files by path, the administrator's last as it wins."""
    return {str(path): found for path in _settings_files(config_folders, (), managed) if (found := _table(path))}


def _settings_files(config: Iterable[Path], projects: Iterable[Path], managed: Path | None) -> Iterator[Path]:
    for folder in config:
        yield from (folder / name for name in _SETTINGS)
    for folder in projects:
        yield from (folder / ".claude" / name for name in _SETTINGS)
    if managed is not None:
        yield managed


def _memory_files(config: Iterable[Path], projects: Iterable[Path]) -> Iterator[tuple[str, str]]:
    places = [folder / "CLAUDE.md" for folder in config]
    places += [folder / name for folder in projects for name in _MEMORY]
    for path in dict.fromkeys(places):
        raw = _read(path)
        if raw is not None:
            yield str(path), raw.decode("utf-8", "replace")


def _table(path: Path) -> dict[str, object]:
    raw = _read(path)
    if raw is None:
        return {}
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _read(path: Path) -> bytes | None:
    try:
        # A file of another kind, or one far larger than any real one, is not worth waiting for.
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return None
        return path.read_bytes()
    except OSError:
        return None


def _retention(
    settings: Mapping[str, Mapping[str, object]], config: Sequence[Path], managed: Path | None
) -> int | None:
    days: int | None = DEFAULT_RETENTION_DAYS
    for path in _settings_files(config, (), managed):
        said = settings.get(str(path), {}).get("cleanupPeriodDays")
        if isinstance(said, int) and not isinstance(said, bool) and said > 0:
            days = said
    return days
