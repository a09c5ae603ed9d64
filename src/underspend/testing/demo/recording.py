"""Recorded Claude Code sessions as they are bundled: what each call added to its conversation, and its reply."""

from __future__ import annotations

import gzip
import math
from importlib import resources
from typing import Any, Literal

import msgspec

Block = dict[str, Any]
Message = dict[str, Any]
Role = Literal["main", "subagent", "compaction"]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a session was published, and under which licence."""

    repository: str
    commit: str
    path: str
    licence: str


class Call(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request and its reply.

    `at` is in milliseconds since the session's first call. `prompt` counts what the user typed. `add` is what the
    conversation gained since the reply before; `fresh` says that it begins anew, after a compaction. `output` is
    the tokens that were recorded for the reply.
    """

    at: int
    model: str
    prompt: int
    add: list[Message]
    reply: list[Block]
    role: Role = "main"
    fresh: bool = False
    output: int = 0
    stop_reason: str | None = None


class Thread(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The main conversation, or that of one sub-agent (then `agent` and `agent_type` name it).

    `unseen` is how many prompt tokens the first call had beside its messages: the client's instructions and tools,
    which recordings do not hold. `tools` are the tools that were used, with the names of their inputs. `ttl` is
    the cache lifetime that was asked for.
    """

    calls: list[Call]
    unseen: int
    tools: dict[str, list[str]]
    ttl: Literal["5m", "1h"] = "5m"
    agent: str | None = None
    agent_type: str | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded session; `client` is Claude Code's version.

    `days_ago` is where the demo puts its last call; None for a session that is played in the present.
    """

    id: str
    project: str
    client: str
    days_ago: float | None
    source: Source
    threads: list[Thread]

    @property
    def length(self) -> int:
        """Milliseconds from the first call to the last."""
        return max(call.at for thread in self.threads for call in thread.calls)

    @property
    def calls(self) -> int:
        """How many calls there are."""
        return sum(len(thread.calls) for thread in self.threads)


def encode(session: Session) -> bytes:
    """The session as its file's bytes; equal sessions give equal bytes."""
    return gzip.compress(msgspec.json.encode(session), compresslevel=9, mtime=0)


def decode(data: bytes) -> Session:
    """The session in a file's bytes. Raises msgspec.ValidationError for what is none."""
    return msgspec.json.decode(gzip.decompress(data), type=Session)


def sessions() -> list[Session]:
    """The bundled sessions: the longest ago first, those of the present last."""
    folder = resources.files(__package__).joinpath("sessions")
    found = [decode(file.read_bytes()) for file in folder.iterdir() if file.name.endswith(".json.gz")]
    return sorted(found, key=lambda session: -math.inf if session.days_ago is None else session.days_ago, reverse=True)
