"""The blocks of an Anthropic request in cache order, with digests that do not change with the client's notation.

Claude Code writes a message as a list with a `cache_control` while it is the last, and as a plain string afterwards;
keys of a tool_result move about. Digests are therefore taken over a canonical form: no breakpoint, keys sorted,
a string the same as a list of one text block.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import xxhash

from underspend.core.call import Block, Section
from underspend.formats.lenient import Json, decode, items, obj, text
from underspend.tokens.estimate import tokens_in

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_MEMO_ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A request's blocks in cache order, and a name for the turn it belongs to.

    `turn` is equal for all calls of the tool loop that one typed prompt starts; None before any prompt.
    """

    blocks: tuple[Block, ...] = ()
    turn: str | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    blocks: tuple[Block, ...]
    prompt: bool = False


class Anatomist:
    """Takes requests apart, remembering pieces it has seen: a conversation repeats all but its end every time."""

    def __init__(self) -> None:
        self._memo: OrderedDict[bytes, _Piece] = OrderedDict()
        self._named: dict[tuple[bytes, str | None, str], Block] = {}

    def anatomy(self, *, tools: bytes, system: bytes, messages: bytes) -> Anatomy:
        """The blocks of a request given the raw JSON of its three parts; parts that are no JSON have none."""
        blocks: list[Block] = []
        for raw in _elements(tools):
            blocks += self._piece(b"t", raw, _tool).blocks
        for raw in _elements(system):
            blocks += self._piece(b"s", raw, _system).blocks
        turn: str | None = None
        for index, raw in enumerate(_elements(messages)):
            piece = self._piece(b"m", raw, _message)
            blocks += piece.blocks
            if piece.prompt and piece.blocks:
                turn = f"{index}-{piece.blocks[-1].digest.hex()[:12]}"
        self._name_results(blocks)
        return Anatomy(tuple(blocks), turn)

    def _name_results(self, blocks: list[Block]) -> None:
        """Label each tool result with the tool it is of, which only the matching use knows."""
        names: dict[str, str] = {}
        for at, block in enumerate(blocks):
            if block.ref is None:
                continue
            if block.kind.endswith("tool_use"):
                names[block.ref] = block.label
            elif block.kind.endswith("tool_result") and block.ref in names:
                blocks[at] = self._named_result(block, names[block.ref])

    def _named_result(self, block: Block, tool: str) -> Block:
        key = (block.digest, block.breakpoint, tool)
        made = self._named.get(key)
        if made is None:
            if len(self._named) >= _MEMO_ENTRIES:
                self._named.clear()
            made = self._named[key] = replace(block, label=f"{tool} result")
        return made

    def _piece(self, kind: bytes, raw: bytes, read: Any) -> _Piece:
        key = kind + xxhash.xxh3_128_digest(raw)
        piece = self._memo.get(key)
        if piece is None:
            try:
                piece = self._memo[key] = read(decode(raw))
            except (msgspec.DecodeError, RecursionError):
                return _Piece(())
            if len(self._memo) > _MEMO_ENTRIES:
                self._memo.popitem(last=False)
        return piece


def _elements(raw: bytes) -> list[bytes]:
    """The elements of a JSON list; a lone string counts as a list of itself."""
    try:
        if raw.startswith(b'"'):
            return [raw]
        return [bytes(element) for element in _decode_list(raw)]
    except (msgspec.DecodeError, RecursionError):
        return []


def _tool(value: object) -> _Piece:
    tool = obj(value)
    kind = "deferred_tool" if tool.get("defer_loading") is True else "tool"
    return _Piece((_block(Section.TOOLS, kind, text(tool.get("name")) or kind, tool),))


def _system(value: object) -> _Piece:
    block = _as_block(value)
    return _Piece((_block(Section.SYSTEM, text(block.get("type")) or "text", "system", block),))


def _message(value: object) -> _Piece:
    message = obj(value)
    role = text(message.get("role")) or "user"
    content = message.get("content")
    parts = [_as_block(content)] if isinstance(content, str) else items(content)
    blocks = tuple(
        _block(Section.MESSAGES, kind := text(part.get("type")) or "text", _label(role, kind, part), part, salt=role)
        for part in parts
    )
    kinds = {block.kind for block in blocks}
    return _Piece(blocks, prompt=role == "user" and "tool_result" not in kinds and "text" in kinds)


def _as_block(value: object) -> Json:
    return {"type": "text", "text": value} if isinstance(value, str) else obj(value)


def _label(role: str, kind: str, part: Json) -> str:
    if kind in {"tool_use", "server_tool_use", "mcp_tool_use"}:
        return text(part.get("name")) or kind
    return role


def _block(section: Section, kind: str, label: str, part: Json, *, salt: str = "") -> Block:
    control = obj(part.get("cache_control"))
    bare = {name: value for name, value in part.items() if name != "cache_control"}
    canonical = _encode(bare)
    return Block(
        section=section,
        kind=kind,
        label=label,
        digest=xxhash.xxh3_128_digest(salt.encode() + canonical),
        size=len(canonical),
        tokens=tokens_in(len(canonical)),
        breakpoint=(text(control.get("ttl")) or "5m") if control else None,
        ref=text(part.get("id")) or text(part.get("tool_use_id")),
    )
