"""One transcript → its `Extract`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

import msgspec
import xxhash

from underspend.core.history import AlwaysLoaded, ClientTotal, Mark, MarkKind, Place, Skipped
from underspend.formats.lenient import Json, count, decode, obj, text
from underspend.readers.claude_code import loaded, marks, prompts
from underspend.readers.claude_code.lines import Broken, entries
from underspend.readers.claude_code.marks import Announced, Noted
from underspend.readers.claude_code.records import Extract, Part, Source
from underspend.readers.claude_code.replies import Reply, key_of
from underspend.readers.claude_code.shapes import Line, Piece, loads, object_in

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_AS_WRITTEN = 24
_REMEMBERED = 4_096
_minutes: dict[str, int] = {}
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
    """What a file says, as rows. Pieces that cannot be read are listed in it."""
    reading = _Reading(source)
    take, number = reading.take, 0
    for number, entry in entries(stream):
        take(number, entry)
    return reading.finished(number)


class _Reading:
    """A file while it is being read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._file = source.shown
        self._is_agent = source.is_agent
        self._stem = source.path.stem
        self._is_named = not source.is_agent and _UUID.fullmatch(self._stem) is not None
        self._sessions: dict[str, int] = {}
        self._seen: set[str] = set()
        self._parts: dict[tuple[str | None, bool], Part] = {}
        self._turns: dict[int, str] = {}
        self._side_of: dict[str, str] = {}
        self._replies: dict[str, Reply] = {}
        self._spawned: dict[str, Any] = {}
        self._announced: dict[str | None, Announced] = {}
        self._loaded: dict[tuple[str, str], AlwaysLoaded] = {}
        self._total: ClientTotal | None = None
        self._left = False
        self._at = self._first = self._last = 0
        self._found = Extract(session="")

    def take(self, number: int, entry: Line | Broken) -> None:
        """One more entry."""
        if isinstance(entry, Broken):
            self._found.skipped.append(Skipped(place=Place(file=self._file, line=number), why=entry.why))
            return
        kind = entry.type or "(none)"
        taker = _TAKERS.get(kind)
        if taker is None:
            if kind not in _OF_NO_CONCERN:
                self._found.unknown[kind] = self._found.unknown.get(kind, 0) + 1
            return
        if kind == "progress" and not _tells(entry):
            return
        if entry.session is not None and not self._is_named:
            self._sessions[entry.session] = self._sessions.get(entry.session, 0) + 1
        if entry.timestamp is not None:
            at = moment(entry.timestamp)
            if at:
                self._at = at
                if at > self._last:  # noqa: PLR1730  (once a line)
                    self._last = at
                if at < self._first or not self._first:
                    self._first = at
        taker(self, entry, Place(self._file, number))

    def _part(self, line: Line, *, nested: bool = False) -> Part:
        """The timeline that an entry belongs to."""
        agent, inline = line.agent, False
        if agent is None:
            if self._is_agent:
                agent = self._stem.removeprefix("agent-")
            elif line.sidechain is True:
                agent, inline = self._root_of(line), True
        part = self._parts.get((agent, nested))
        if part is None:
            part = self._parts[agent, nested] = Part(agent=agent, inline=inline, nested=nested)
            self._link(part, line)
            self._found.directory = self._found.directory or line.directory or ""
            self._found.entrypoint = self._found.entrypoint or line.entrypoint
        if part.agent_type is None and line.agent_type is not None:
            part.agent_type = line.agent_type
        return part

    def _read_meta(self) -> None:
        """Take in what the client keeps beside an agent's file: its type and the use that started it."""
        path = self._source.path
        with contextlib.suppress(OSError, msgspec.DecodeError):
            meta = obj(decode(path.with_name(f"{path.stem}.meta.json").read_bytes()))
            for part in self._parts.values():
                part.agent_type = part.agent_type or text(meta.get("agentType"))
                part.parent_use = part.parent_use or text(meta.get("toolUseId"))

    def _root_of(self, line: Line) -> str:
        """The agent of an inline sidechain: the first entry of its chain."""
        root = self._side_of.get(line.parent or "") or line.uuid or "unknown"
        if line.uuid:
            self._side_of[line.uuid] = root
        return root

    def _link(self, part: Part, line: Line) -> None:
        """Find the use of a tool that started an agent."""
        use = None
        if part.nested:
            part.parent_use = line.parent_use
            use = next((use for use in self._spawned.values() if use.id == part.parent_use), None)
        elif part.inline and line.message is not None:
            use = self._spawned.get(prompts.prompt_text(line.message) or "")
            part.parent_use = use.id if use is not None else None
        if use is not None:
            part.agent_type = use.target or None

    def assistant(self, line: Line, place: Any, *, nested: bool = False) -> None:
        """One content block of a reply."""
        message = line.message
        if message is None:
            return
        part = self._part(line, nested=nested)
        if message.model == _BILLED_NOT:
            if line.is_error is True and not self._repeated(line):
                self._note(part, line, place, Noted(MarkKind.API_ERROR, marks.error_name(loads(line.error))))
            return
        key = key_of(line, message, place)
        reply = self._replies.get(key)
        if reply is None:
            reply = self._replies[key] = Reply(key, self._at, place, nested, part, self._turns.get(id(part)))
        elif reply.nested and not nested:
            reply.nested, reply.part, reply.place = False, part, place
        if self._at < reply.at:  # noqa: PLR1730  (once a line)
            reply.at = self._at
        if (line.request_session or line.forked_from) and _is_copy(line):
            reply.foreign = True
        reply.take(line, message)
        if self._repeated(line):
            return
        content = message.content
        for piece in [Piece(text=content)] if isinstance(content, str) else content or ():
            reply.add(piece, self._spawned)

    def user(self, line: Line, place: Any, *, nested: bool = False) -> None:
        """A prompt, or the results of tools."""
        message = line.message
        if message is None:
            return
        part = self._part(line, nested=nested)
        if self._repeated(line):
            return
        prompt = prompts.prompt_text(message)
        if prompt is not None:
            self._prompt(part, line, place, prompt)
        elif isinstance(message.content, list):
            for piece in message.content:
                if piece.type == "tool_result":
                    part.results.append(prompts.result_of(piece, self._at, place))

    def _prompt(self, part: Part, line: Line, place: Any, prompt: str) -> None:
        announced = self._announced.setdefault(part.agent, Announced())
        noted = prompts.noted(prompt)
        for note in (Noted(*noted) if noted else None, announced.set_mode(line.permission_mode)):
            self._note(part, line, place, note)
        turn = line.turn or line.uuid
        typed = prompts.typed(line, prompt, self._at, place, turn)
        if typed is None:
            return
        if self._left and part.agent is None:
            self._note(part, line, place, Noted(MarkKind.RESUME, "resume"))
            self._left = False
        if turn is not None:
            self._turns[id(part)] = turn
        part.typed.append(typed)
        part.typed_ids.append(self._id_of(line, place))

    def system(self, line: Line, place: Any) -> None:
        """What the client notes of itself."""
        if not self._repeated(line):
            self._note(self._part(line), line, place, marks.of_system(line))

    def progress(self, line: Line, place: Any) -> None:
        """News of something under way: a hook, or an agent whose messages come this way alone."""
        data = line.data
        if data is None:
            return
        if data.hook is not None:
            self._hook(line, place, data.hook)
        inner = data.message
        if data.type != "agent_progress" or inner is None:
            return
        inner.agent, inner.parent_use = data.agent, line.parent_use
        inner.version, inner.session, inner.sidechain = line.version, line.session, True
        self._at = moment(inner.timestamp or "") or self._at
        if inner.type == "assistant":
            self.assistant(inner, place, nested=True)
        elif inner.type == "user":
            self.user(inner, place, nested=True)

    def _hook(self, line: Line, place: Any, name: object) -> None:
        noted = marks.of_hook(name)
        if noted is not None and not self._repeated(line):
            self._note(self._part(line), line, place, noted)
            self._left = False

    def attachment(self, line: Line, place: Any) -> None:
        """What was put into the prompt besides messages."""
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

    def cost_state(self, line: Line, place: Any) -> None:
        """The client's own running total."""
        self._left = True
        models = object_in(line.model_usage)
        by_model = {
            name: {k: count(v) for k, v in obj(lanes).items() if k != "costUSD"} for name, lanes in models.items()
        }
        usd = bytes(line.total_usd).decode("utf-8", "replace").strip('"')
        self._total = ClientTotal(session="", place=place, usd=usd, by_model=by_model, covers=self._last)

    def permission_mode(self, line: Line, place: Any) -> None:
        """The mode in which tools are permitted."""
        part = self._part(line)
        announced = self._announced.setdefault(part.agent, Announced())
        self._note(part, line, place, announced.set_mode(line.permission_mode))

    def _note(self, part: Part, line: Line, place: Any, noted: Noted | None) -> None:
        if noted is None:
            return
        part.marks.append(Mark(self._at, place, noted.kind, noted.detail, noted.tokens_before, noted.tokens_after))
        part.mark_ids.append(self._id_of(line, place))

    def _repeated(self, line: Line) -> bool:
        """Whether this very entry was met before in this file."""
        own = line.uuid
        if not own:
            return False
        if own in self._seen:
            return True
        self._seen.add(own)
        return False

    @staticmethod
    def _id_of(line: Line, place: Any) -> int:
        own = line.uuid or f"{place.file}:{place.line}"
        return xxhash.xxh3_64_intdigest(own.encode("utf-8", "replace"))

    def finished(self, lines: int) -> Extract:
        """Everything, once the last entry was taken; `lines` is its number."""
        found = self._found
        found.first, found.last, found.lines = self._first, self._last, lines
        found.session = self._session()
        if self._source.is_agent:
            self._read_meta()
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
        if self._is_named:
            return path.stem
        if self._sessions:
            return max(self._sessions, key=self._sessions.__getitem__)
        return path.parent.parent.name if path.parent.name == "subagents" else path.stem


_TAKERS: dict[str, Callable[[_Reading, Line, Any], None]] = {
    "assistant": _Reading.assistant,
    "user": _Reading.user,
    "system": _Reading.system,
    "progress": _Reading.progress,
    "attachment": _Reading.attachment,
    "cost-state": _Reading.cost_state,
    "permission-mode": _Reading.permission_mode,
}


def _has_events(part: Part) -> bool:
    return bool(part.answered or part.results or part.typed or part.marks)


def _is_copy(line: Line) -> bool:
    """Whether an entry says itself that it was made in another session."""
    if line.request_session and line.request_session != line.session:
        return True
    return bool(line.forked_from) and bytes(line.forked_from) != b"null"


def _tells(line: Line) -> bool:
    """Whether a note of progress is more than a sign of life."""
    data = line.data
    return data is not None and (data.type == "agent_progress" or (data.hook or "").startswith("SessionStart:"))


def moment(value: str) -> int:
    """A timestamp in microseconds since the epoch, 0 where there is none."""
    # As clients write it, 2026-11-20T11:40:52.123Z: what is the same in many lines is worked out once.
    if len(value) == _AS_WRITTEN and value[19] == "." and value[23] == "Z" and value.isascii():
        rest = value[17:19] + value[20:23]
        minute = _minutes.get(value[:17])
        if minute is not None and rest.isdigit() and rest < "60":
            return minute + int(rest) * 1000
        if minute is None:
            if len(_minutes) >= _REMEMBERED:
                _minutes.clear()
            minute = _moment(f"{value[:17]}00Z")
            if minute:
                _minutes[value[:17]] = minute
    return _moment(value)


def _moment(value: str) -> int:
    try:
        at = datetime.fromisoformat(value)
        return max(0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND)
    except (ValueError, OverflowError):
        return 0
