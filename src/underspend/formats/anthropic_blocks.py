"""The blocks of an Anthropic request in cache order, with digests that do not change with the client's notation.

Claude Code writes a message as a list with a `cache_control` while it is the last, and as a plain string afterwards;
keys of a tool_result move about. Digests are therefore taken over a canonical form: no breakpoint, the block's own keys
sorted, nothing that says nothing, a string the same as a list of one text block. The keys inside a tool's input or
schema keep their order, which the provider's cache takes for content.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import msgspec
import xxhash

from underspend.core.call import Block, Section
from underspend.formats import tool_uses
from underspend.formats.lenient import Json, decode, items, obj, text
from underspend.tokens.estimate import tokens_in

_encode = msgspec.json.encode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_MEMO_ENTRIES = 20_000
_USES = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A request's blocks in cache order, and a name for the turn it belongs to.

    `turn` is equal for all calls of the tool loop that one typed prompt starts; None before any prompt.
    """

    blocks: tuple[Block, ...] = ()
    turn: str | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    """The blocks of one element. `beside` is what a message holds besides: it stands before the next block.

    `loads` are the deferred tools that a block brings in, by its index.
    """

    blocks: tuple[Block, ...]
    prompt: bool = False
    beside: bytes = b""
    loads: tuple[tuple[int, tuple[str, ...]], ...] = ()


class Anatomist:
    """Takes requests apart, remembering pieces it has seen: a conversation repeats all but its end every time."""

    def __init__(self) -> None:
        self._memo: OrderedDict[bytes, _Piece] = OrderedDict()
        self._named: dict[tuple[bytes, str | None, int, bytes], Block] = {}

    def anatomy(self, *, tools: bytes, system: bytes, messages: bytes) -> Anatomy:
        """The blocks of a request given the raw JSON of its three parts; parts that are no JSON have none."""
        blocks: list[Block] = []
        deferred: dict[str, bytes] = {}
        for raw in _elements(tools):
            for block in self._piece(b"t", raw, _tool).blocks:
                blocks.append(block)
                if block.kind == "deferred_tool":
                    deferred[block.label] = block.digest
        for raw in _elements(system):
            blocks += self._piece(b"s", raw, _system).blocks
        turn: str | None = None
        beside = b""
        for index, raw in enumerate(_elements(messages)):
            piece = self._piece(b"m%d " % index, raw, partial(_message, index))
            beside += piece.beside
            blocks += _placed(piece, beside, deferred) if beside or (deferred and piece.loads) else piece.blocks
            beside = b"" if piece.blocks else beside
            if piece.prompt and piece.blocks:
                turn = f"{index}-{piece.blocks[-1].digest.hex()[:12]}"
        self._name_results(blocks)
        return Anatomy(tuple(blocks), turn)

    def _name_results(self, blocks: list[Block]) -> None:
        """Tell each tool result what only the matching use knows: which tool it is of, and on what it was used."""
        uses: dict[str, Block] = {}
        for at, block in enumerate(blocks):
            if block.ref is None:
                continue
            if block.kind.endswith("tool_use"):
                uses[block.ref] = block
            elif block.kind.endswith("tool_result") and block.ref in uses:
                blocks[at] = self._named_result(block, uses[block.ref])

    def _named_result(self, block: Block, use: Block) -> Block:
        key = (block.digest, block.breakpoint, block.message, use.digest)
        made = self._named.get(key)
        if made is None:
            if len(self._named) >= _MEMO_ENTRIES:
                self._named.clear()
            label = f"{use.label} result"
            made = replace(block, label=label, verb=use.verb, subject=use.subject, span=use.span)
            self._named[key] = made
        return made

    def _piece(self, kind: bytes, raw: bytes, read: Callable[[object], _Piece]) -> _Piece:
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


def _placed(piece: _Piece, beside: bytes, deferred: Mapping[str, bytes]) -> list[Block]:
    """A message's blocks with what belongs to their identity from elsewhere in the request."""
    more = [b""] * len(piece.blocks)
    for at, names in piece.loads:
        more[at] += b"".join(deferred.get(name, b"") for name in names)
    if more:
        more[0] = beside + more[0]
    return [
        replace(block, digest=xxhash.xxh3_128_digest(block.digest + part)) if part else block
        for block, part in zip(piece.blocks, more, strict=True)
    ]


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
    is_deferred = tool.get("defer_loading") is True
    name = text(tool.get("name")) or ("deferred_tool" if is_deferred else "tool")
    shown = {key: part for key, part in tool.items() if key != "defer_loading"}
    return _Piece((_block(Section.TOOLS, "deferred_tool" if is_deferred else "tool", name, shown),))


def _system(value: object) -> _Piece:
    block = _as_block(value)
    return _Piece((_block(Section.SYSTEM, text(block.get("type")) or "text", "system", block),))


def _message(index: int, value: object) -> _Piece:
    message = obj(value)
    role = text(message.get("role")) or "user"
    content = message.get("content")
    parts = [_as_block(content)] if isinstance(content, str) else items(content)
    blocks = tuple(
        _block(Section.MESSAGES, kind := text(part.get("type")) or "text", _label(role, kind, part), part, role, index)
        for part in parts
    )
    kinds = {block.kind for block in blocks}
    others = sorted((key, value) for key, value in message.items() if key not in {"role", "content"})
    return _Piece(
        blocks,
        prompt=role == "user" and "tool_result" not in kinds and "text" in kinds,
        beside=_encode(others) if others else b"",
        loads=tuple((at, names) for at, part in enumerate(parts) if (names := _loaded(part))),
    )


def _loaded(part: Json) -> tuple[str, ...]:
    """The deferred tools that a search's result names: their definitions stand there."""
    if part.get("type") != "tool_result":
        return ()
    found = (inner for inner in items(part.get("content")) if inner.get("type") == "tool_reference")
    return tuple(name for inner in found if (name := text(inner.get("tool_name"))))


def _as_block(value: object) -> Json:
    return {"type": "text", "text": value} if isinstance(value, str) else obj(value)


def _label(role: str, kind: str, part: Json) -> str:
    return text(part.get("name")) or kind if kind in _USES else role


def plain(part: Json) -> Json:
    """A content block in one notation: its own keys in order, nothing that says nothing, no breakpoint."""
    made = {key: part[key] for key in sorted(part) if key != "cache_control" and part[key] is not None}
    if part.get("type") == "tool_result" and "content" in made:
        content = made["content"]
        made["content"] = [
            plain(inner) for inner in ([_as_block(content)] if isinstance(content, str) else items(content))
        ]
    return made


def _block(section: Section, kind: str, label: str, part: Json, role: str = "", message: int = -1) -> Block:  # noqa: PLR0913, PLR0917  # what a block is made of
    made = plain(part)
    canonical = _encode(made)
    is_empty = kind == "text" and not part.get("text")
    verb = tool_uses.verb_of(label) if kind in _USES else None
    given = obj(part.get("input")) if verb is not None else {}
    return Block(
        section=section,
        kind=kind,
        label=label,
        digest=xxhash.xxh3_128_digest(b"\0".join([(role or section.value).encode(), canonical])),
        size=len(canonical),
        tokens=0 if is_empty else tokens_in(len(canonical)),
        breakpoint=_lifetime(part) or next(filter(None, map(_lifetime, _inside(part))), None),
        ref=text(part.get("id")) or text(part.get("tool_use_id")),
        message=message,
        role=role,
        verb=verb,
        subject=tool_uses.subject_of(verb, given) if verb is not None else None,
        span=tool_uses.span_of(verb, given) if verb is not None else (0, 0),
        is_error=part.get("is_error") is True,
        says=xxhash.xxh3_128_digest(_encode(made.get("content"))) if kind == "tool_result" else None,
    )


def _inside(part: Json) -> list[Json]:
    return items(part.get("content")) if part.get("type") == "tool_result" else []


def _lifetime(part: Json) -> str | None:
    control = obj(part.get("cache_control"))
    return (text(control.get("ttl")) or "5m") if control else None
