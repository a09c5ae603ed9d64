"""Content parts and tool calls of Chat Completions and the parts they are in the neutral form, both ways."""

from __future__ import annotations

from collections.abc import Iterable

from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.anthropic_parts import read_cache, write_cache
from underspend.formats.dialects.left_out import LeftOut
from underspend.formats.dialects.neutral import Document, Image, Part, Refusal, Text, ToolUse
from underspend.formats.lenient import Json, items, obj, text

NAME = "openai"
_PDF = "application/pdf"


def read_content(content: object) -> list[Part]:
    """A message's content, a string or parts, as parts.

    Raises CannotCarryError for sound, and for a file that is kept at OpenAI.
    """
    if isinstance(content, str):
        return [Text(content)] if content else []
    return [_read_part(part) for part in items(content)]


def _read_part(part: Json) -> Part:
    cache = read_cache(part)
    match part.get("type"):
        case "image_url":
            return _read_image(part, cache)
        case "file":
            return _read_file(obj(part.get("file")), cache)
        case "refusal":
            return Refusal(text(part.get("refusal")) or "")
        case "text" | "input_text" | "output_text":
            return Text(text(part.get("text")) or "", cache)
        case "input_audio":
            raise CannotCarryError(
                what="Sound",
                provider="another provider",
                problem="only OpenAI's own models hear it in this form",
                mend="Send a transcript, or leave the call on the model it asks for.",
            )
    raise ValueError(f"a part of a message has the type {part.get('type')!r}")


def _read_image(part: Json, cache: str | None) -> Image:
    given = part.get("image_url")
    url = given if isinstance(given, str) else text(obj(given).get("url")) or ""
    detail = text(obj(given).get("detail"))
    media_type, data = split_data_url(url)
    if data:
        return Image(media_type, data, cache=cache, detail=detail)
    return Image(url=url, cache=cache, detail=detail)


def _read_file(file: Json, cache: str | None) -> Document:
    given = text(file.get("file_data"))
    title = text(file.get("filename")) or ""
    if given is None:
        raise CannotCarryError(
            what=f"The file {text(file.get('file_id')) or title}".strip(),
            provider="another provider",
            problem="it is kept at OpenAI, under an id that only OpenAI knows",
            mend="Send its contents as `file_data` instead, or leave the call on an OpenAI model.",
        )
    media_type, data = split_data_url(given)
    return Document(media_type or _PDF, data or given, title=title, cache=cache)


def split_data_url(url: str) -> tuple[str, str]:
    """The media type and the base64 text of a `data:` URL; two empty strings for any other."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return "", ""
    return head.removeprefix("data:").partition(";")[0], data


def read_call(call: Json) -> ToolUse:
    """One of a message's `tool_calls`. Raises CannotCarryError for a custom tool's, which has no arguments."""
    if call.get("type") == "custom":
        raise no_custom_tools()
    function = obj(call.get("function"))
    return ToolUse(
        text(call.get("id")) or "",
        text(function.get("name")) or "",
        text(function.get("arguments")) or "{}",
        read_cache(call),
    )


def no_custom_tools() -> CannotCarryError:
    """The error for tools that take free text or a grammar."""
    return CannotCarryError(
        what="A custom tool",
        provider="another provider",
        problem="its input is free text, and other providers' tools take JSON",
        mend="Make it a function with one string, or leave the call on an OpenAI model.",
    )


def write_content(parts: Iterable[Part], left_out: LeftOut, *, marked: bool = False) -> str | list[Json]:
    """Texts, pictures and documents as `content`: one string where there is only text, as every server takes it.

    With `marked` the breakpoints of the cache go along, for servers that hand them on.
    """
    kept = [part for part in parts if isinstance(part, (Text, Image, Document, Refusal)) and part != Text("")]
    if marked and any(getattr(part, "cache", None) for part in kept):
        return [_write_part(part, marked=True) for part in kept]
    if any(getattr(part, "cache", None) for part in kept):
        left_out.note("cache_control", "the provider caches by its own rules")
    if all(isinstance(part, (Text, Refusal)) or _is_text(part) for part in kept):
        return "\n\n".join(_words(part) for part in kept)
    return [_write_part(part, marked=False) for part in kept]


def _is_text(part: Part) -> bool:
    return isinstance(part, Document) and not part.data and not part.url


def _words(part: Part) -> str:
    if isinstance(part, Document):
        return f"{part.title}\n\n{part.text}" if part.title else part.text
    return part.text if isinstance(part, (Text, Refusal)) else ""


def _write_part(part: Text | Image | Document | Refusal, *, marked: bool) -> Json:
    cache = write_cache(None if isinstance(part, Refusal) or not marked else part.cache)
    if isinstance(part, Image):
        url = part.url or f"data:{part.media_type};base64,{part.data}"
        return {"type": "image_url", "image_url": {"url": url, **_detail(part)}, **cache}
    if isinstance(part, Document) and not _is_text(part):
        return {"type": "file", "file": _file(part), **cache}
    return {"type": "text", "text": _words(part), **cache}


def _detail(part: Image) -> Json:
    return {} if part.detail is None else {"detail": part.detail}


def _file(part: Document) -> Json:
    if part.url:
        raise CannotCarryError(
            what="A document given by its address",
            provider="an OpenAI-compatible provider",
            problem="Chat Completions takes a file's contents only",
            mend="Send it as base64 instead, or leave the call on an Anthropic model.",
        )
    name = part.title or f"document.{part.media_type.rpartition('/')[2] or 'pdf'}"
    return {"filename": name, "file_data": f"data:{part.media_type or _PDF};base64,{part.data}"}
