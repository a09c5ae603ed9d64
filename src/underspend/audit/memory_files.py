"""The memory files that Claude Code reads at the start of a session: those, in its order, and no others.

Claude Code's memory page (code.claude.com/docs/en/memory): the administrator's file; the user's CLAUDE.md and rules;
then from below the root of the file system down to the session's folder CLAUDE.md, .claude/CLAUDE.md, .claude/rules
and CLAUDE.local.md of each folder; each with its imports, four hops deep. An import of a project's file that lies
outside of the session's folder is read only where the user agreed to it (`.claude.json`), one of the user's own file
always. `claudeMdExcludes` takes files out. In a git worktree that lies within its own repository, the repository's
shared files are not read again. Files below the session's folder and rules with `paths` are read later, if at all:
they are not here. Nor is AGENTS.md where nothing imports it: which versions read it by itself depends on a setting.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from underspend.audit.memory_imports import imports_of, is_excluded, is_scoped

MOST_BYTES = 4 * 1024 * 1024
"""A larger file is skipped by the client too ("up to 4 MiB in full", its memory page)."""

_HOPS = 4
_MOST_FOLDERS = 1_000
_MANAGED = {
    "darwin": "/Library/Application Support/ClaudeCode/CLAUDE.md",
    "win32": "C:\\Program Files\\ClaudeCode\\CLAUDE.md",
}
_LOCAL = "CLAUDE.local.md"
_SETTINGS = ("settings.json", "settings.local.json")

Tables = Mapping[str, Mapping[str, object]]


def managed_file(platform: str) -> Path:
    """Where an administrator puts a memory file for everyone on a machine."""
    return Path(_MANAGED.get(platform, "/etc/claude-code/CLAUDE.md"))


class Memory:
    """`texts` by path, in the order in which they were met, and the folders whose sessions read each at their start.

    `readers` is None for a file that all sessions read. `named_by` says of an imported file which file named it first.
    """

    __slots__ = ("named_by", "readers", "texts")

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.readers: dict[str, frozenset[str] | None] = {}
        self.named_by: dict[str, str] = {}


def memory_of(
    directories: Iterable[str],
    *,
    config_folders: Sequence[Path] = (),
    managed: Path | None = None,
    settings: Tables | None = None,
    home: Path | None = None,
) -> Memory:
    """The memory files of sessions that started in some folders; a name that is no absolute path here is passed over.

    `settings` are the client's settings files by path, for `claudeMdExcludes`.
    """
    reader = _Reader(config_folders, managed, settings or {}, home or Path.home())
    memory = Memory()
    everywhere = reader.read_in(None, memory)
    readers: dict[str, set[str]] = {path: set() for path in everywhere}
    asked = list(dict.fromkeys(directories))
    for name in asked:
        folder = Path(name) if name and Path(name).is_absolute() else None
        for path in reader.read_in(folder, memory):
            readers.setdefault(path, set()).add(name)
    for path, found in readers.items():
        memory.readers[path] = None if path in everywhere and len(found) == len(asked) else frozenset(found)
    return memory


class _Reader:
    """Looks at each folder and each file once, whichever sessions read it."""

    def __init__(self, config: Sequence[Path], managed: Path | None, settings: Tables, home: Path) -> None:
        self._config, self._managed, self._settings, self._home = config, managed, settings, home
        self._in_folder: dict[Path, list[Path]] = {}
        self._files: dict[Path, tuple[str, list[Path]] | None] = {}
        self._repositories = _Repositories()
        self._agreed: set[str] | None = None
        self._users = [path for folder in config for path in [folder / "CLAUDE.md", *_rules(folder / "rules")]]

    def read_in(self, folder: Path | None, memory: Memory) -> list[str]:
        """The files that a session in a folder reads at its start; None for what every session reads."""
        excluded = self._patterns(folder)
        walk = _Walk(self, folder, memory)
        if self._managed is not None:
            walk.follow(self._managed, excluded=(), trusted=False)
        for path in self._users:
            walk.follow(path, excluded=excluded, trusted=True)
        for path in self._of_project(folder):
            walk.follow(path, excluded=excluded, trusted=False)
        return walk.found

    def file(self, path: Path) -> tuple[str, list[Path]] | None:
        """The text of a file and what it imports; None for what is no file that the client would read."""
        if path not in self._files:
            text = read_text(path)
            self._files[path] = None if text is None else (text, list(imports_of(text, path.parent, self._home)))
        return self._files[path]

    def is_agreed(self, folder: Path | None) -> bool:
        """Whether the user let the project of a folder import files from elsewhere."""
        if folder is None:
            return False
        if self._agreed is None:
            self._agreed = {name for config in self._config for name in _agreed_in(config)}
        root, repository = self._repositories.of(folder)
        return not self._agreed.isdisjoint({str(folder), str(root or folder), str(repository or folder)})

    def _of_project(self, folder: Path | None) -> Iterator[Path]:
        if folder is None:
            return
        root, repository = self._repositories.of(folder)
        nested = root is not None and repository is not None and root != repository and root.is_relative_to(repository)
        # The last parent is the root of the file system, where the client does not look.
        for each in reversed([folder, *folder.parents][:-1]):
            shared_again = nested and each.is_relative_to(repository or each) and not each.is_relative_to(root or each)
            for path in self._named(each):
                if not shared_again or path.name == _LOCAL:
                    yield path

    def _named(self, folder: Path) -> list[Path]:
        if folder not in self._in_folder:
            own = folder / ".claude"
            inner = [own / "CLAUDE.md", *_rules(own / "rules")] if is_there(own) else []
            found = [folder / "CLAUDE.md", *inner, folder / _LOCAL]
            self._in_folder[folder] = [path for path in found if is_there(path)]
        return self._in_folder[folder]

    def _patterns(self, folder: Path | None) -> list[str]:
        places = [*self._config, *([folder / ".claude"] if folder is not None else [])]
        tables = [self._settings.get(str(place / name), {}) for place in places for name in _SETTINGS]
        said = [table.get("claudeMdExcludes") for table in tables]
        return [each for found in said if isinstance(found, list) for each in found if isinstance(each, str)]


class _Walk:
    """One session's reading: every file once, however it is named."""

    def __init__(self, reader: _Reader, folder: Path | None, memory: Memory) -> None:
        self._reader, self._folder, self._memory = reader, folder, memory
        self._read: set[str] = set()
        self.found: list[str] = []

    def follow(self, path: Path, *, excluded: Sequence[str], trusted: bool, hops: int = 0, by: str = "") -> None:
        """Read a file and what it imports. `trusted` files may import from anywhere."""
        if excluded and is_excluded(path, excluded):
            return
        known = self._reader.file(path)
        if known is None or (hops and "\0" in known[0]) or (real := os.path.realpath(path)) in self._read:
            return
        self._read.add(real)
        name = str(path)
        text, imports = known
        self.found.append(name)
        self._memory.texts.setdefault(name, text)
        if by:
            self._memory.named_by.setdefault(name, by)
        for each in imports if hops < _HOPS else ():
            target = Path(os.path.normpath(each))
            if trusted or self._is_inside(target) or self._reader.is_agreed(self._folder):
                self.follow(target, excluded=excluded, trusted=trusted, hops=hops + 1, by=name)

    def _is_inside(self, path: Path) -> bool:
        return self._folder is not None and path.is_relative_to(self._folder)


class _Repositories:
    """The git working tree that a folder is in, and the repository whose worktree it may be."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Path | None, Path | None]] = {}

    def of(self, folder: Path) -> tuple[Path | None, Path | None]:
        below: list[Path] = []
        found: tuple[Path | None, Path | None] | None = None
        for each in (folder, *folder.parents):
            found = self._known.get(each) or _working_tree(each)
            if found is not None:
                break
            below.append(each)
        found = found or (None, None)
        self._known.update(dict.fromkeys(below, found))
        return found


def _working_tree(folder: Path) -> tuple[Path, Path] | None:
    """A folder that is the root of a working tree, and the root of its repository; None for any other folder."""
    git = folder / ".git"
    if not is_there(git):
        return None
    said = read_text(git)
    if said is not None and said.startswith("gitdir:"):
        administered = Path(os.path.normpath(folder / said.removeprefix("gitdir:").strip()))
        if administered.parent.name == "worktrees" and administered.parent.parent.name == ".git":
            return folder, administered.parent.parent.parent
    return folder, folder


class _Project(msgspec.Struct):
    """What the client keeps of a project, as far as it is read here."""

    agreed: bool | None = msgspec.field(default=None, name="hasClaudeMdExternalIncludesApproved")


class _State(msgspec.Struct):
    projects: dict[str, _Project] = msgspec.field(default_factory=dict)


def _agreed_in(config: Path) -> set[str]:
    """The projects that may import files from elsewhere; nothing else of the client's state is decoded."""
    places = [config / ".claude.json", *([config.parent / ".claude.json"] if config.name == ".claude" else [])]
    for place in places:
        try:
            state = msgspec.json.decode(place.read_bytes(), type=_State)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            continue
        return {name for name, project in state.projects.items() if project.agreed}
    return set()


def _rules(folder: Path) -> list[Path]:
    """The rules in a folder and below, through links too, that are read with every session."""
    found: list[Path] = []
    entered: set[str] = set()
    for where, below, names in os.walk(folder, followlinks=True):
        entered.add(os.path.realpath(where))
        if len(entered) > _MOST_FOLDERS:  # a link to all of a disk is no folder of rules
            break
        below[:] = sorted(name for name in below if os.path.realpath(Path(where, name)) not in entered)
        found += [Path(where, name) for name in sorted(names) if name.endswith(".md")]
    return [path for path in found if (text := read_text(path)) is not None and not is_scoped(text)]


def is_there(path: Path) -> bool:
    """Whether there is anything; not, where it may not be looked for."""
    return os.path.exists(path)  # noqa: PTH110  # that of a Path raises where a folder may not be entered


def read_text(path: Path) -> str | None:
    """A file's text, whatever its bytes; None for what is no file, is too large or cannot be read."""
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return None
        return path.read_bytes().decode("utf-8-sig", "replace")
    except (OSError, ValueError):
        return None
