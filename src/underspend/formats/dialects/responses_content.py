"""The pieces of a message or of a tool's result in the Responses API: `input_text`, `input_image`, `input_file`."""

from __future__ import annotations

import re

from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.neutral import Document, Image, Refusal, Text
from underspend.formats.lenient import Json, items, obj, text

_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^,]*)?;base64,(.*)", re.DOTALL)
_TEXTS = {"input_text", "output_text", "text"}


def read_content(content: object) -> list[Text | Image | Document | Refusal]:
    """A message's `content` or a result's `output`: a string or a list of pieces.

    Raises CannotCarryError for a file or picture that is kept at OpenAI, and for sound.
    """
    if isinstance(content, str):
        return [Text(content)]
    return [_read_piece(piece) for piece in items(content)]


def read_cache(holder: Json) -> str | None:
    """The lifetime of a cache breakpoint, in Anthropic's words: OpenAI's shorter one is "5m", its longer one "1h"."""
    return ("1h" if holder.get("ttl") == "12h" else "5m") if holder.get("mode") == "explicit" else None


def write_cache(cache: str | None) -> Json:
    """The member that sets a cache breakpoint behind a piece of input; none for None."""
    ttl = "12h" if cache == "1h" else "30m"
    return {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": ttl}} if cache else {}


def write_content(part: Text | Image | Document) -> Json:
    """One piece of input. A document of plain text goes as text, behind its title."""
    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    if isinstance(part, Image):
        url = part.url or f"data:{part.media_type};base64,{part.data}"
        return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}
    if part.text:
        return {"type": "input_text", "text": f"{part.title}\n{part.text}" if part.title else part.text}
    if part.url:
        return {"type": "input_file", "file_url": part.url}
    # OpenAI wants a name with a file's bytes.
    name = part.title or "document." + part.media_type.rpartition("/")[2]
    return {"type": "input_file", "filename": name, "file_data": f"data:{part.media_type};base64,{part.data}"}


def _read_piece(piece: Json) -> Text | Image | Document | Refusal:
    kind, cache = text(piece.get("type")), read_cache(obj(piece.get("prompt_cache_breakpoint")))
    if kind in _TEXTS:
        return Text(text(piece.get("text")) or "", cache)
    if kind == "refusal":
        return Refusal(text(piece.get("refusal")) or "")
    if text(piece.get("file_id")):
        raise cannot(f"{kind} with a file_id", "the file is kept at OpenAI", "Send its content instead.")
    if kind == "input_image":
        return _read_image(piece, cache)
    if kind == "input_file":
        return _read_file(piece, cache)
    raise cannot(f"input of the type {kind}", "there is nothing like it", "Leave it out.")


def _read_image(piece: Json, cache: str | None) -> Image:
    url, detail = text(piece.get("image_url")) or "", text(piece.get("detail"))
    media_type, data = _split(url)
    return Image(media_type, data, cache=cache, detail=detail) if data else Image(url=url, cache=cache, detail=detail)


def _read_file(piece: Json, cache: str | None) -> Document:
    title, data = text(piece.get("filename")) or "", text(piece.get("file_data")) or ""
    if not data:
        return Document(url=text(piece.get("file_url")) or "", title=title, cache=cache)
    media_type, bare = _split(data)
    return Document(media_type or "application/pdf", bare or data, title=title, cache=cache)


def _split(url: str) -> tuple[str, str]:
    """Media type and base64 of a data URL, two empty strings of any other."""
    match = _DATA_URL.fullmatch(url)
    return (match[1], match[2]) if match else ("", "")


def cannot(what: str, problem: str, mend: str, *, provider: str = "another provider") -> CannotCarryError:
    """The refusal to translate a request."""
    return CannotCarryError(what=what, provider=provider, problem=problem, mend=mend)
