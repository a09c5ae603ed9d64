"""One request for a model's reply, in the provider-neutral form that strategies see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

THINKING = frozenset({"thinking", "redacted_thinking"})
"""The kinds of block that hold a model's reasoning. They are signed, and belong to the model that wrote them."""


class Section(StrEnum):
    """Where a block stands in the prompt, in the provider's cache order."""

    TOOLS = "tools"
    SYSTEM = "system"
    MESSAGES = "messages"


class Role(StrEnum):
    """What a call is to its session.

    `side` calls are the client's own (titles, safety checks, token counts), `summary` calls ours, for the session.
    """

    MAIN = "main"
    SUBAGENT = "subagent"
    COMPACTION = "compaction"
    SIDE = "side"
    SUMMARY = "summary"
    UNKNOWN = "unknown"


class BillingMode(StrEnum):
    """Who pays: an API key is billed per token, an OAuth login belongs to a subscription."""

    API_KEY = "api_key"
    OAUTH = "oauth"
    NONE = "none"


class Verb(StrEnum):
    """What a tool does, as far as its name tells."""

    READ = "read"
    EDIT = "edit"
    RUN = "run"
    SEARCH = "search"
    FETCH = "fetch"
    AGENT = "agent"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a prompt: a tool definition, a system block or a content block of a message.

    `digest` is equal for equal content in whichever form the client wrote it (a string or a one-text-block list),
    and does not cover the breakpoint. `tokens` is a local estimate. `breakpoint` is the TTL asked for ("5m", "1h").
    `ref` ties a tool's result to its use (the provider's tool_use id). Nothing here holds text of the prompt.

    `message` is the index of its message, -1 outside the messages, and `role` that message's. For a tool's use and its
    result, `verb` says what the tool does, `subject` is a digest of what it did it to (a file's path, a command), and
    `span` the first line and number of lines of a read, (0, 0) for the whole file. `says` is a digest of what a result
    says without its `ref`: equal for equal results of two uses; None where `digest` has no `ref` in it. `edited` blocks
    are not as the client sent them.
    """

    section: Section
    kind: str
    label: str
    digest: bytes
    size: int
    tokens: int
    breakpoint: str | None = None
    ref: str | None = None
    message: int = -1
    role: str = ""
    verb: Verb | None = None
    subject: bytes | None = None
    span: tuple[int, int] = (0, 0)
    is_error: bool = False
    edited: bool = False
    says: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who asked. Every field but `role` and `billing` may be unknown; the key is a keyed hash, never the key."""

    session: str | None = None
    agent: str | None = None
    parent_agent: str | None = None
    agent_type: str | None = None
    role: Role = Role.UNKNOWN
    turn: str | None = None
    project: str | None = None
    user_agent: str | None = None
    key: str | None = None
    user: str | None = None
    billing: BillingMode = BillingMode.NONE
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call as asked, or as edited so far: strategies see the edits of those before them.

    `time` is in microseconds since the epoch. `prompt_tokens` is a local estimate, `prompt_ceiling` a number the real
    count will not exceed. `kind` groups calls whose replies are alike (a role and agent type, or the kind of task an
    API caller's prompt sets). `blocks` may be parsed only when first looked at, and are empty where nobody needs them.

    `task` is the class of what is asked (`routing.classes`), `features` what else is known of it, as hashes; both are
    empty where nobody routes. `preference` is what a client leaves to us: "cheapest", "balanced" or "quality" for
    `model: "auto"`, empty where it named a model.
    """

    id: str
    time: int
    provider: str
    endpoint: str
    model: str
    stream: bool = False
    max_output: int = 0
    prompt_tokens: int = 0
    prompt_ceiling: int = 0
    size: int = 0
    effort: str | None = None
    speed: str | None = None
    kind: str = ""
    identity: Identity = field(default_factory=Identity)
    blocks: Sequence[Block] = ()
    thinking_budget: int = 0
    automatic: str | None = None
    task: str = ""
    features: Sequence[int] = ()
    preference: str = ""
