"""What a tool does, by the name its client gives it."""

from __future__ import annotations

from functools import lru_cache

from underspend.core.call import Verb

_BY_NAME = {
    Verb.READ: ("read", "notebookread", "view"),
    Verb.EDIT: ("edit", "multiedit", "write", "notebookedit"),
    Verb.RUN: ("bash", "powershell"),
    Verb.SEARCH: ("grep", "glob", "ls", "toolsearch"),
    Verb.FETCH: ("webfetch", "websearch"),
    Verb.AGENT: ("task", "agent"),
}
_VERBS = {name: verb for verb, names in _BY_NAME.items() for name in names}


@lru_cache(maxsize=1024)
def verb_of(tool: str) -> Verb:
    """The verb of a tool; an MCP server's tool goes by its own part of the name ("mcp__acp__Read" reads)."""
    return _VERBS.get(tool.rpartition("__")[2].lower(), Verb.OTHER)
