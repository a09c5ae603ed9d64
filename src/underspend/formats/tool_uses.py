"""What a use of a tool does, to what, and to which part of it: as far as its name and its input tell."""

from __future__ import annotations

from functools import lru_cache

import msgspec
import xxhash

from underspend.core.call import Verb
from underspend.formats.lenient import Json, count, text

_BY_NAME = {
    Verb.READ: ("read", "notebookread", "view"),
    Verb.EDIT: ("edit", "multiedit", "write", "notebookedit"),
    Verb.RUN: ("bash", "powershell"),
    Verb.SEARCH: ("grep", "glob", "ls", "toolsearch"),
    Verb.FETCH: ("webfetch", "websearch"),
    Verb.AGENT: ("task", "agent"),
}
_VERBS = {name: verb for verb, names in _BY_NAME.items() for name in names}
_PATHS = ("file_path", "notebook_path", "path")
_ON_FILES = frozenset({Verb.READ, Verb.EDIT})


@lru_cache(maxsize=1024)
def verb_of(tool: str) -> Verb:
    """The verb of a tool; an MCP server's tool goes by its own part of the name ("mcp__files__read" reads)."""
    return _VERBS.get(tool.rpartition("__")[2].lower(), Verb.OTHER)


def subject_of(verb: Verb, given: Json) -> bytes | None:
    """A digest of what it was used on: for reads and edits the file, for all else the whole input."""
    if verb in _ON_FILES:
        path = next((found for name in _PATHS if (found := text(given.get(name)))), None)
        return None if path is None else xxhash.xxh3_128_digest(path.encode("utf-8", "surrogatepass"))
    return xxhash.xxh3_128_digest(msgspec.json.encode(given)) if given else None


def span_of(verb: Verb, given: Json) -> tuple[int, int]:
    """The first line and the number of lines that a read asks for; (0, 0) is the whole file."""
    if verb is not Verb.READ:
        return 0, 0
    lines = given.get("view_range")
    if isinstance(lines, list) and len(lines) == 2:  # noqa: PLR2004  # first and last line
        first = count(lines[0])
        return first, max(0, count(lines[1]) - first + 1)
    return count(given.get("offset")), count(given.get("limit"))
