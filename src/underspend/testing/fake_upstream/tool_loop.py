"""A script that leads a real client through rounds of tool calls."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import msgspec

from underspend.testing.fake_upstream.replies import Block, Reply, thinking, tool_use
from underspend.testing.fake_upstream.view import RequestView

_tags = itertools.count(1)
_MAIN_ROLES = frozenset({"main", "subagent"})


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tool call: the tool's name as the client knows it (Read, Bash, Write, Edit, Agent) and its input."""

    name: str
    input: dict[str, Any]


class ToolLoop:
    """Answers each request with the next round of tool calls, and with `final` when all have their results.

    A round is one Call or several made in parallel. Progress is read from the tool_use ids in the conversation,
    so a retried request gets the same round again; after a compaction, which drops them, it is remembered. Each
    session and agent has its own progress, so sub-agents may share a loop. Requests that ask for a compaction or
    that offer no tools are left to the next script. `before` is text said ahead of each round.
    """

    def __init__(
        self, *rounds: Call | Iterable[Call], final: str | Reply = "Done.", before: str = "", think: str = ""
    ) -> None:
        self._rounds = [[r] if isinstance(r, Call) else list(r) for r in rounds]
        self._final = Reply(content=final) if isinstance(final, str) else final
        self._before = before
        self._think = think
        self._tag = f"toolu_01Loop{next(_tags):04d}"
        self._done: dict[tuple[str | None, str | None], int] = {}

    def __call__(self, view: RequestView) -> Reply | None:
        """The answer to this request, or None to leave it to the next script."""
        if view.role not in _MAIN_ROLES or not view.json.get("tools"):
            return None
        done = self._progress(view)
        if done >= len(self._rounds):
            return self._final
        calls: list[str | Block] = [
            tool_use(call.name, call.input, tool_id=self._id(done, number))
            for number, call in enumerate(self._rounds[done])
        ]
        said: list[str | Block] = [self._before] if self._before else []
        if self._think:
            said.insert(0, thinking(self._think))
        return Reply(content=tuple(said + calls))

    def _id(self, number: int, call: int) -> str:
        return f"{self._tag}R{number:03d}C{call:02d}"

    def _progress(self, view: RequestView) -> int:
        results = view.tool_results()
        key = (view.session, view.agent)
        done = self._done.get(key, 0)
        while done < len(self._rounds) and self._id(done, 0) in results:
            done += 1
        self._done[key] = done
        return done
