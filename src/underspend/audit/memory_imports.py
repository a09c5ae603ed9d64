"""What the text of a memory file says about other files: which it imports, and when it is read itself.

Claude Code's memory page (code.claude.com/docs/en/memory, "Import additional files", "Path-specific rules", "Exclude
specific CLAUDE.md files").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from underspend.advisors.memory_text import rows_of

# Patterns are compiled where they are needed: most audits need none, and each takes as long as reading ten files.
_CODE_SPAN = r"(`+)(?!`).+?(?<!`)\1(?!`)"
_COMMENT = r"<!--.*?-->"
_IMPORT = r"(?:^|\s)@((?:[^\s\\]|\\ )+)"
_PLAIN_START = r"[A-Za-z0-9._-]"
_SCOPE = r"paths\s*:"
_GLOB_PART = r"(?s)\*\*/|\*\*|\*|\?|\[[^\]/]+\]|\{[^{}]*\}|."
_OF_GLOB = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def imports_of(text: str, folder: Path, home: Path) -> Iterator[Path]:
    """The paths a memory file in `folder` imports (`@path`), in order; what is in code or in a comment is no import."""
    for row in rows_of(text):
        if row.fenced or row.hidden or "@" not in row.text:
            continue
        plain = re.sub(_COMMENT, " ", re.sub(_CODE_SPAN, " ", row.text))
        for found in re.findall(_IMPORT, plain):
            name = found.partition("#")[0].replace("\\ ", " ")
            path = _path(name, folder, home)
            if path is not None:
                yield path


def _path(name: str, folder: Path, home: Path) -> Path | None:
    if name.startswith("~/"):
        return home / name[2:]
    if name.startswith("/"):
        return Path(name) if name.strip("/") else None
    return folder / name if re.match(_PLAIN_START, name) and "\0" not in name else None


def is_scoped(text: str) -> bool:
    """Whether a rule's front matter names the `paths` it is for: such a rule is read with those files, not before."""
    lines = text.removeprefix("\ufeff").split("\n")
    if lines[0].rstrip() != "---":
        return False
    for line in lines[1:]:
        if line.rstrip() == "---":
            return False
        if re.match(_SCOPE, line):
            return True
    return False


def is_excluded(path: Path, patterns: Iterable[str]) -> bool:
    """Whether `claudeMdExcludes` names a file: a path, or a glob over whole paths."""
    name = path.as_posix()
    return any(_glob(pattern).fullmatch(name) for pattern in patterns)


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(map(_translated, re.findall(_GLOB_PART, pattern))), re.DOTALL)


def _translated(part: str) -> str:
    if part in _OF_GLOB:
        return _OF_GLOB[part]
    if part.startswith("{") and part.endswith("}"):
        return f"(?:{'|'.join(_glob(each).pattern for each in part[1:-1].split(','))})"
    if part.startswith("[") and part.endswith("]"):
        inner = part[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        return f"[^{inner[1:]}]" if inner[0] in "!^" and inner[1:] else f"[{inner}]"
    return re.escape(part)
