"""One transcript → its `Extract`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

import msgspec
import xxhash

from underspend.core.history import AlwaysLoaded, ClientTotal, Mark, MarkKind, Place, Skipped, ToolUse
from underspend.formats.lenient import Json, count, obj, text
from underspend.readers.claude_code import loaded, marks, prompts
from underspend.readers.claude_code.lines import Broken, entries
from underspend.readers.claude_code.marks import Announced, Noted
from underspend.readers.claude_code.records import Extract, Part, Source
from underspend.readers.claude_code.replies import Reply, key_of
from underspend.readers.claude_code.shapes import (
    Line,
    line_of,
    loads,
    message_of,
    object_in,
    pieces_of,
    progress_of,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BILLED_NOT = "<synthetic>"
_OF_NO_CONCERN = frozenset({
    "agent-color", "agent-name", "agent-setting", "ai-title", "api-request", "api-request-blob", "api-request-shape",
    "artifact-index", "artifact-link", "atis-latch", "attribution-snapshot", "bridge-session", "content-replacement",
    "context-collapse-commit", "context-collapse-snapshot", "continued-in", "custom-title", "file-history-delta",
    "file-history-snapshot", "fork-context-ref", "frame-link", "history-suppression", "last-prompt", "mode",
    "pr-link", "queue-operation", "relocated", "result", "speculation-accept", "started", "summary", "tag",
    "tools-used", "worktree-state",
})  # fmt: skip


def extract(source: Source, stream: BinaryIO) -> Extract:
    """What a file says. Pieces that cannot be read are listed in it."""
    reading = _Reading(source)
    for number, entry in entries(stream):
        reading.take(number, entry)
    return reading.finished()


class _Reading:
    """A file while it is being read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._file = source.shown
        self._sessions: Counter[str] = Counter()
        self._seen: set[str] = set()
        self._parts: dict[tuple[str | None, bool], Part] = {}
        self._turns: dict[int, str] = {}
        self._side_of: dict[str, str] = {}
        self._replies: dict[str, Reply] = {}
        self._unbilled: dict[str, Place] = {}
        self._spawned: dict[int, ToolUse] = {}
        self._announced: dict[str | None, Announced] = {}
        self._loaded: dict[tuple[str, str], AlwaysLoaded] = {}
        self._total: ClientTotal | None = None
        self._left = False
        self._at = 0
        self._found = Extract(session="")
        self._takers: dict[str, Callable[[Line, Place], None]] = {
            "assistant": self._assistant,
            "user": self._user,
            "system": self._system,
            "progress": self._progress,
            "attachment": self._attachment,
            "cost-state": self._cost_state,
            "permission-mode": self._permission_mode,
        }

    def take(self, number: int, entry: Line | Broken) -> None:
        """One more entry."""
        place = Place(file=self._file, line=number)
        self._found.lines = number
        if isinstance(entry, Broken):
            self._found.skipped.append(Skipped(place=place, why=entry.why))
            return
        self._head(entry)
        kind = entry.type if isinstance(entry.type, str) else "(none)"
        taker = self._takers.get(kind)
        if taker is not None:
            taker(entry, place)
        elif kind not in _OF_NO_CONCERN:
            self._found.unknown[kind] = self._found.unknown.get(kind, 0) + 1

    def _head(self, line: Line) -> None:
        found = self._found
        if isinstance(line.session, str):
            self._sessions[line.session] += 1
        if not found.directory and isinstance(line.directory, str):
            found.directory = line.directory
        if found.entrypoint is None:
            found.entrypoint = text(line.entrypoint)
        at = moment(line.timestamp)
        if at:
            self._at = at
            found.first = min(found.first or at, at)
            found.last = max(found.last, at)

    def _part(self, line: Line, *, nested: bool = False) -> Part:
        """The timeline that an entry belongs to."""
        agent, inline = text(line.agent), False
        if agent is None and self._source.is_agent:
            agent = self._source.path.stem.removeprefix("agent-")
        elif agent is None and line.sidechain is True:
            agent, inline = self._root_of(line), True
        part = self._parts.get((agent, nested))
        if part is None:
            part = self._parts[agent, nested] = Part(agent=agent, inline=inline, nested=nested)
            self._link(part, line)
        if part.agent_type is None and line.agent_type is not None:
            part.agent_type = text(line.agent_type)
        return part

    def _root_of(self, line: Line) -> str:
        """The agent of an inline sidechain: the first entry of its chain."""
        own, parent = text(line.uuid), text(line.parent)
        root = self._side_of.get(parent or "") or own or "unknown"
        if own:
            self._side_of[own] = root
        return root

    def _link(self, part: Part, line: Line) -> None:
        """Find the use of a tool that started an agent."""
        use = None
        if part.nested:
            part.parent_use = text(line.parent_use)
            use = next((use for use in self._spawned.values() if use.id == part.parent_use), None)
        elif part.inline:
            use = self._spawned.get(xxhash.xxh3_64_intdigest(bytes(message_of(line.message).content)))
            part.parent_use = use.id if use is not None else None
        if use is not None:
            part.agent_type = use.target or None

    def _assistant(self, line: Line, place: Place, *, nested: bool = False) -> None:
        message = message_of(line.message)
        part = self._part(line, nested=nested)
        if message.model == _BILLED_NOT:
            if line.is_error is True:
                self._note(part, line, place, Noted(MarkKind.API_ERROR, marks.error_name(loads(line.error))))
            return
        key = key_of(line, message, place)
        reply = self._replies.get(key)
        if reply is None:
            reply = self._replies[key] = Reply(key, self._at, place, nested, part, turn=self._turns.get(id(part)))
        elif reply.nested and not nested:
            reply.nested, reply.part, reply.place = False, part, place
        reply.at = min(reply.at, self._at)
        reply.foreign = reply.foreign or self._is_copy(line)
        reply.take(line, message, self._spawned)

    def _is_copy(self, line: Line) -> bool:
        """Whether the entry itself says that it was made in another session."""
        made_in = text(line.request_session)
        return bool(line.forked_from) or (made_in is not None and made_in != line.session)

    def _user(self, line: Line, place: Place, *, nested: bool = False) -> None:
        part = self._part(line, nested=nested)
        if self._repeated(line):
            return
        content = message_of(line.message).content
        prompt = prompts.prompt_text(content)
        if prompt is None:
            part.results.extend(
                prompts.result_of(piece, at=self._at, place=place)
                for piece in pieces_of(content)
                if piece.type == "tool_result"
            )
            return
        self._prompt(part, line, place, prompt)

    def _prompt(self, part: Part, line: Line, place: Place, prompt: str) -> None:
        announced = self._announced.setdefault(part.agent, Announced())
        noted = prompts.noted(prompt)
        for note in (Noted(*noted) if noted else None, announced.set_mode(line.permission_mode)):
            self._note(part, line, place, note)
        turn = text(line.turn) or text(line.uuid)
        typed = prompts.typed(line, prompt, at=self._at, place=place, turn=turn)
        if typed is None:
            return
        if self._left and part.agent is None:
            self._note(part, line, place, Noted(MarkKind.RESUME, "resume"))
            self._left = False
        if turn is not None:
            self._turns[id(part)] = turn
        part.typed.append(typed)
        part.typed_ids.append(self._id_of(line, place))

    def _system(self, line: Line, place: Place) -> None:
        if not self._repeated(line):
            self._note(self._part(line), line, place, marks.of_system(line))

    def _progress(self, line: Line, place: Place) -> None:
        data = progress_of(line.data)
        if data.type == "hook_progress":
            self._hook(line, place, data.hook)
        if data.type != "agent_progress" or not data.message:
            return
        try:
            inner = line_of(bytes(data.message))
        except msgspec.DecodeError:
            return
        inner.agent, inner.parent_use = data.agent, line.parent_use
        inner.version, inner.session, inner.sidechain = line.version, line.session, True
        self._at = moment(inner.timestamp) or self._at
        if inner.type == "assistant":
            self._assistant(inner, place, nested=True)
        elif inner.type == "user":
            self._user(inner, place, nested=True)

    def _hook(self, line: Line, place: Place, name: object) -> None:
        noted = marks.of_hook(name)
        if noted is not None and not self._repeated(line):
            self._note(self._part(line), line, place, noted)
            self._left = False

    def _attachment(self, line: Line, place: Place) -> None:
        if self._repeated(line):
            return
        data = object_in(line.attachment)
        part = self._part(line)
        announced = self._announced.setdefault(part.agent, Announced())
        self._note(part, line, place, announced.of_attachment(data))
        if part.agent is None:
            self._load(data)

    def _load(self, data: Json) -> None:
        if isinstance(data.get("systemPrompt"), list):
            self._forget("system")
        if isinstance(data.get("tools"), list):
            self._forget("tool", "mcp_tool")
        for item in loaded.always_loaded("", data):
            self._loaded[item.kind, item.name] = item

    def _forget(self, *kinds: str) -> None:
        self._loaded = {key: item for key, item in self._loaded.items() if item.kind not in kinds}

    def _cost_state(self, line: Line, place: Place) -> None:
        self._left = True
        models = object_in(line.model_usage)
        by_model = {name: {k: count(v) for k, v in obj(lanes).items() if k != "costUSD"} for name, lanes in models.items()}
        usd = bytes(line.total_usd).decode("utf-8", "replace").strip('"')
        self._total = ClientTotal(session="", place=place, usd=usd, by_model=by_model, covers=self._at)

    def _permission_mode(self, line: Line, place: Place) -> None:
        part = self._part(line)
        announced = self._announced.setdefault(part.agent, Announced())
        self._note(part, line, place, announced.set_mode(line.permission_mode))

    def _note(self, part: Part, line: Line, place: Place, noted: Noted | None) -> None:
        if noted is None:
            return
        part.marks.append(
            Mark(
                at=self._at,
                place=place,
                kind=noted.kind,
                detail=noted.detail,
                tokens_before=noted.tokens_before,
                tokens_after=noted.tokens_after,
            )
        )
        part.mark_ids.append(self._id_of(line, place))

    def _repeated(self, line: Line) -> bool:
        """Whether this very entry was met before in this file."""
        own = text(line.uuid)
        if own is None:
            return False
        if own in self._seen:
            return True
        self._seen.add(own)
        return False

    @staticmethod
    def _id_of(line: Line, place: Place) -> int:
        own = text(line.uuid) or f"{place.file}:{place.line}"
        return xxhash.xxh3_64_intdigest(own.encode("utf-8", "replace"))

    def finished(self) -> Extract:
        """Everything, once the last entry was taken."""
        found = self._found
        found.session = self._session()
        for key, reply in self._replies.items():
            answered = reply.answered()
            if answered is None:
                found.skipped.append(Skipped(place=reply.place, why="a reply without usage"))
                continue
            reply.part.answered.append(answered)
            if reply.foreign:
                found.foreign.append(key)
        found.parts = [part for part in self._parts.values() if _has_events(part)]
        if self._total is not None:
            found.totals = [replace(self._total, session=found.session)]
        found.loaded = [replace(item, session=found.session) for item in self._loaded.values()]
        return found

    def _session(self) -> str:
        path = self._source.path
        if not self._source.is_agent and _UUID.fullmatch(path.stem):
            return path.stem
        named = self._sessions.most_common(1)
        if named:
            return named[0][0]
        return path.parent.parent.name if path.parent.name == "subagents" else path.stem


def _has_events(part: Part) -> bool:
    return bool(part.answered or part.results or part.typed or part.marks)


def moment(value: object) -> int:
    """A timestamp in microseconds since the epoch, 0 where there is none."""
    if not isinstance(value, str):
        return 0
    try:
        at = datetime.fromisoformat(value)
        return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return 0
