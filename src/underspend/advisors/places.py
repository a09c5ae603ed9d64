"""Which sessions a settings or memory file governs, by where it lies."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePath, PurePosixPath, PureWindowsPath

from underspend.core.history import History, Timeline


def path_of(text: str) -> PurePath:
    """A path as the machine that wrote it means it, whichever machine reads it."""
    windows = "\\" in text or (len(text) > 1 and text[1] == ":")
    return PureWindowsPath(text) if windows else PurePosixPath(text)


def folder_governed(file: str, settings: Collection[str] = ()) -> PurePath | None:
    """The folder at and under which a file holds; None for everywhere.

    `<folder>/.claude/<file>` and `<folder>/<file>` hold for `<folder>`. A file that lies beside a settings.json in a
    folder not called `.claude` lies in the client's own configuration folder and holds everywhere, as managed
    settings do.
    """
    path = path_of(file)
    folder = path.parent
    if path.name.startswith("managed-"):
        return None
    if folder.name == ".claude":
        return folder.parent
    return None if any(path_of(each).parent == folder for each in settings) else folder


def governed(history: History, folder: PurePath | None) -> list[Timeline]:
    """The timelines that were started at or under a folder."""
    if folder is None:
        return list(history.timelines)
    within = {
        name: path_of(name).is_relative_to(folder) for name in {line.directory for line in history.timelines} if name
    }
    return [line for line in history.timelines if within.get(line.directory)]
