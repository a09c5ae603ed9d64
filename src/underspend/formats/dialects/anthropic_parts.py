"""Content blocks of the Messages API and the parts they are in the neutral form, both ways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeGuard

import msgspec

from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.left_out import LeftOut
from underspend.formats.dialects.limits import limits
from underspend.formats.dialects.neutral import (
    Document,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from underspend.formats.dialects.tool_labels import sent_name, wrapped_id
from underspend.formats.lenient import Json, decode, items, obj, text

NAME = "anthropic"
_encode = msgspec.json.encode


def read_blocks(content: object, left_out: LeftOut) -> list[Part]:
    """A message's content, a string or blocks, as parts; results of tools come first.

    Raises CannotCarryError for a file that is kept at Anthropic, which no other provider can see.
    """
    if isinstance(content, str):
        return [Text(content)] if content else []
    parts = [part for block in items(content) if (part := _read_block(block, left_out)) is not None]
    return sorted(parts, key=lambda part: not isinstance(part, ToolResult))


def read_cache(holder: Json) -> str | None:
    """The lifetime of the breakpoint that a block, a tool or a whole request carries; None without one."""
    control = holder.get("cache_control")
    if not isinstance(control, dict):
        return None
    return "1h" if control.get("ttl") == "1h" else "5m"


def _read_block(block: Json, left_out: LeftOut) -> Part | None:  # noqa: PLR0911  # one for each kind of block
    cache = read_cache(block)
    match block.get("type"):
        case "text":
            return Text(text(block.get("text")) or "", cache)
        case "image":
            return _read_image(block, cache)
        case "document":
            return _read_document(block, cache, left_out)
        case "tool_use":
            name = text(block.get("name")) or ""
            return ToolUse(text(block.get("id")) or "", name, arguments_of(block.get("input")), cache)
        case "tool_result":
            return _read_result(block, cache, left_out)
        case "thinking" | "redacted_thinking":
            return read_thinking(block)
        case "search_result":
            return Text(_search_result(block), cache)
        case "tool_reference":
            return Text(f"The tool {text(block.get('tool_name')) or ''} can be used now.")
        case kind:
            _refuse_what_is_asked(str(kind))
            left_out.note(f"{kind} blocks", "only Anthropic's servers made and read them")
            return None


def _refuse_what_is_asked(kind: str) -> None:
    if kind == "container_upload":
        raise _kept_at_anthropic("A file in a container")


def _kept_at_anthropic(what: str) -> CannotCarryError:
    return CannotCarryError(
        what=what,
        provider="another provider",
        problem="it is kept at Anthropic, under an id that only Anthropic knows",
        mend="Send its contents as base64 instead, or leave the call on an Anthropic model.",
    )


def read_thinking(block: Json) -> Thinking:
    """A thinking block, plain or redacted."""
    return Thinking(
        text(block.get("thinking")) or "",
        signature=text(block.get("signature")) or "",
        redacted=text(block.get("data")) or "",
        dialect=NAME,
    )


def _read_image(block: Json, cache: str | None) -> Image:
    source = obj(block.get("source"))
    match source.get("type"):
        case "base64":
            return Image(text(source.get("media_type")) or "", text(source.get("data")) or "", cache=cache)
        case "url":
            return Image(url=text(source.get("url")) or "", cache=cache)
    raise _kept_at_anthropic("A picture given as a file")


def _read_document(block: Json, cache: str | None, left_out: LeftOut) -> Document:
    source, title = obj(block.get("source")), text(block.get("title")) or ""
    if obj(block.get("citations")).get("enabled") is True:
        left_out.note("citations of documents", "the provider does not cite")
    about = text(block.get("context"))
    title = f"{title} ({about})" if title and about else title or about or ""
    match source.get("type"):
        case "base64":
            media_type, data = text(source.get("media_type")) or "", text(source.get("data")) or ""
            return Document(media_type, data, title=title, cache=cache)
        case "text":
            return Document("text/plain", text=text(source.get("data")) or "", title=title, cache=cache)
        case "url":
            return Document(url=text(source.get("url")) or "", title=title, cache=cache)
        case "content":
            return Document("text/plain", text=_only_text(source.get("content")), title=title, cache=cache)
    raise _kept_at_anthropic("A document given as a file")


def _only_text(content: object) -> str:
    if isinstance(content, str):
        return content
    blocks = items(content)
    if any(block.get("type") != "text" for block in blocks):
        raise CannotCarryError(
            what="A document made of pictures",
            provider="another provider",
            problem="no other dialect has such a document",
            mend="Send the pictures as image blocks instead.",
        )
    return "\n\n".join(text(block.get("text")) or "" for block in blocks)


def _search_result(block: Json) -> str:
    lines = [text(block.get("title")), text(block.get("source")), _only_text(block.get("content"))]
    return "\n".join(line for line in lines if line)


def _read_result(block: Json, cache: str | None, left_out: LeftOut) -> ToolResult:
    parts = tuple(part for part in read_blocks(block.get("content"), left_out) if _is_plain(part))
    return ToolResult(text(block.get("tool_use_id")) or "", parts, is_error=block.get("is_error") is True, cache=cache)


def _is_plain(part: Part) -> TypeGuard[Text | Image | Document]:
    return isinstance(part, (Text, Image, Document))


def arguments_of(given: object) -> str:
    """A tool use's input as JSON text."""
    return _encode(given if isinstance(given, dict) else {}).decode()


def input_of(arguments: str) -> Any:
    """Arguments as the object that `input` must be. What is no JSON object is kept as it is under "arguments"."""
    if not arguments.strip():
        return {}
    try:
        value = decode(arguments.encode("utf-8", "surrogatepass"))
    except msgspec.DecodeError:
        return {"arguments": arguments}
    if isinstance(value, dict):
        return msgspec.Raw(arguments.encode())
    return {} if value is None else {"arguments": arguments}


def write_cache(cache: str | None) -> Json:
    """The member that carries a breakpoint; nothing without one."""
    if cache is None:
        return {}
    return {"cache_control": {"type": "ephemeral", "ttl": "1h"} if cache == "1h" else {"type": "ephemeral"}}


def write_blocks(parts: Iterable[Part], left_out: LeftOut) -> list[Json]:
    """Parts of a request as content blocks. Thinking that Anthropic did not sign is left out, as is blank text."""
    return [block for part in parts if (block := _write_block(part, left_out)) is not None]


def _write_block(part: Part, left_out: LeftOut) -> Json | None:  # noqa: PLR0911  # one for each kind of part
    match part:
        case Text(words, cache):
            return {"type": "text", "text": words, **write_cache(cache)} if words.strip() else None
        case Image(cache=cache):
            if part.detail not in {None, "auto"}:
                left_out.note("the detail of pictures", "Anthropic has nothing like it")
            return {"type": "image", "source": _image_source(part), **write_cache(cache)}
        case Document(title=title, cache=cache):
            named = {"title": title} if title else {}
            return {"type": "document", "source": _document_source(part), **named, **write_cache(cache)}
        case ToolUse(id=name, cache=cache):
            return {**write_use(part), **write_cache(cache)} if name or part.name else None
        case ToolResult():
            return _write_result(part, left_out)
        case Refusal(words):
            return {"type": "text", "text": words} if words.strip() else None
        case Thinking():
            if part.dialect != NAME or not (part.signature or part.redacted):
                left_out.note("reasoning of another model", "only the model that wrote it can read it")
                return None
            return write_thinking(part)


def write_use(part: ToolUse) -> Json:
    """A tool use, with an id and a name as Anthropic wants them."""
    return {
        "type": "tool_use",
        "id": wrapped_id(part.id),
        "name": sent_name(part.name, limits(NAME)["tool_name"]),
        "input": input_of(part.arguments),
    }


def write_thinking(part: Thinking) -> Json:
    """Anthropic's own thinking, as it was."""
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.redacted}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _write_result(part: ToolResult, left_out: LeftOut) -> Json:
    blocks = write_blocks(part.parts, left_out)
    content: object = blocks
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        content = blocks[0]["text"]
    written: Json = {"type": "tool_result", "tool_use_id": wrapped_id(part.id)}
    if blocks:
        written["content"] = content
    if part.is_error:
        written["is_error"] = True
    return {**written, **write_cache(part.cache)}


def _image_source(part: Image) -> Json:
    if part.url:
        return {"type": "url", "url": part.url}
    return {"type": "base64", "media_type": part.media_type, "data": part.data}


def _document_source(part: Document) -> Json:
    if part.url:
        return {"type": "url", "url": part.url}
    if part.text:
        return {"type": "text", "media_type": "text/plain", "data": part.text}
    return {"type": "base64", "media_type": part.media_type, "data": part.data}
