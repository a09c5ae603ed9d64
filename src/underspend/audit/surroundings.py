"""What advisors may know besides the history: the client's settings and memory files, read here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from underspend.audit.memory_files import memory_of
from underspend.audit.rates import CatalogueRates
from underspend.core.advisor import Surroundings
from underspend.core.history import History

DEFAULT_RETENTION_DAYS = 30
"""After how many days Claude Code deletes transcripts unless `cleanupPeriodDays` says otherwise (its settings page)."""

_MOST_BYTES = 1_000_000
_SETTINGS = ("settings.json", "settings.local.json")


def gather(
    directories: Iterable[str],
    *,
    now: int,
    config_folders: Sequence[Path] = (),
    managed: Path | None = None,
    managed_memory: Path | None = None,
) -> Surroundings:
    """The surroundings of sessions, without bills: what cannot be read is left out, nothing is written.

    `directories` are those the sessions worked in: settings are looked for in those still there, memory files there
    and above, as the client does. `config_folders` are the client's own (`~/.claude`), `managed` and `managed_memory`
    a settings and a memory file that an administrator wrote.
    """
    places = list(dict.fromkeys(directories))
    projects = [Path(name) for name in places if name]
    settings = {
        str(path): found for path in _settings_files(config_folders, projects, managed) if (found := _table(path))
    }
    memory = memory_of(places, config_folders=config_folders, managed=managed_memory, settings=settings)
    return Surroundings(
        now=now,
        bills={},
        rates=CatalogueRates(History()),
        settings=settings,
        memory_files=memory.texts,
        memory_readers=memory.readers,
        memory_named_by=memory.named_by,
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
