"""A scripted reply, and the content blocks it is made of."""

from __future__ import annotations

from typing import Any

import msgspec

from underspend.testing.fake_upstream import tokens
from underspend.testing.fake_upstream.bill import Counts
from underspend.testing.fake_upstream.faults import Delivery

Block = dict[str, Any]
UNSIGNED = "RmFrZVNpZ25hdHVyZQ=="
UNNAMED = frozenset({"toolu_01Fake", "srvtoolu_01Fake"})


class Growth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prompt tokens that a server-side tool loop adds between message_start and message_delta."""

    input_tokens: int = 0
    cache_write_5m: int = 0
    cache_read: int = 0


class Iteration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of `usage.iterations`: message, compaction, advisor_message or fallback_message.

    `declined` marks an attempt that was refused before output: it is reported but not billed.
    """

    type: str
    model: str | None = None
    input_tokens: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    output_tokens: int = 0
    declined: bool = False

    @property
    def counts(self) -> Counts:
        """The entry's tokens by lane."""
        return Counts(self.input_tokens, self.cache_write_5m, self.cache_write_1h, self.cache_read, self.output_tokens)


class Reply(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reply", forbid_unknown_fields=True):
    """A good answer. Unset fields follow from the request and the content.

    `content` is a text, or a list of texts and content blocks. `iterations` are reported as given; an own
    `message` entry is added when they hold none. `bare_delta` leaves only output_tokens in message_delta, as
    older models do. `final_usage` overrides fields of the top-level usage at the end, and so the bill of a reply
    without iterations. `unknown_event` sends an event no client knows, with a usage that must not be billed.
    `extra` adds fields to the message object. `delta_chars` is how much text one delta carries.
    """

    content: str | tuple[str | Block, ...] = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None
    model: str | None = None
    output_tokens: int | None = None
    thinking_tokens: int | None = None
    growth: Growth = Growth()
    iterations: tuple[Iteration, ...] = ()
    final_usage: dict[str, int] = {}
    web_searches: int = 0
    inference_geo: str | None = None
    speed: str | None = None
    service_tier: str = "standard"
    answer_safeguards: bool = True
    bare_delta: bool = False
    pings: int = 1
    unknown_event: bool = False
    delta_chars: int = 48
    extra: dict[str, Any] = {}
    headers: dict[str, str] = {}
    delivery: Delivery = Delivery()

    def blocks(self) -> list[Block]:
        """The content as blocks; an empty text is no content at all."""
        pieces = (self.content,) if isinstance(self.content, str) else self.content
        return [{"type": "text", "text": p} if isinstance(p, str) else p for p in pieces if p]


def tool_use(name: str, tool_input: dict[str, Any], *, tool_id: str = "toolu_01Fake") -> Block:
    """A `tool_use` block for a tool that the client runs. Without `tool_id` each reply gives it an own id."""
    return {"type": "tool_use", "id": tool_id, "name": name, "input": tool_input}


def thinking(text: str, *, signature: str = UNSIGNED) -> Block:
    """A `thinking` block with its signature."""
    return {"type": "thinking", "thinking": text, "signature": signature}


def server_tool(name: str, tool_input: dict[str, Any], result: Any) -> tuple[Block, Block]:
    """A tool call that the provider runs itself, and its result: two content blocks."""
    tool_id = "srvtoolu_01Fake"
    call = {"type": "server_tool_use", "id": tool_id, "name": name, "input": tool_input}
    return call, {"type": f"{name}_tool_result", "tool_use_id": tool_id, "content": result}


def output_tokens(content: list[Block]) -> int:
    """Tokens of a reply's content; at least one, as the API never reports none for a reply with content."""
    return sum(max(1, tokens.count_text(block_text(block))) for block in content)


def block_text(block: Block) -> str:
    """The text of a content block that travels in deltas; empty for blocks that come whole."""
    kind = block.get("type")
    if kind in {"tool_use", "server_tool_use"}:
        return msgspec.json.encode(block.get("input", {})).decode()
    if kind == "thinking":
        return str(block.get("thinking", ""))
    if kind == "compaction":
        return str(block.get("content") or "")
    return str(block.get("text", ""))
