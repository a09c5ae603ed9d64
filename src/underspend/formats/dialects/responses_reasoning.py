"""Reasoning items of the Responses API, and what else of a model's reasoning a client keeps in one.

OpenAI's own reasoning has its proof in `encrypted_content`. A client that sends its items back carries another
provider's proof just as well, so that is kept there too, behind a mark that says whose it is: of reasoning
(`thinking`, `redacted`), or of the tool call that follows (`tool`; Gemini wants it back with the call).
"""

from __future__ import annotations

from underspend.formats.dialects.neutral import Thinking
from underspend.formats.lenient import Json, items, text

DIALECT = "responses"
_MARK = "underspend"


def read_reasoning(item: Json) -> Thinking:
    """A reasoning item: the summary where there is one, else the reasoning itself."""
    said = [text(part.get("text")) or "" for part in items(item.get("summary")) or items(item.get("content"))]
    words, proof = "\n\n".join(said), text(item.get("encrypted_content")) or ""
    kind, dialect, data = _unmarked(proof)
    if kind == "redacted":
        return Thinking(words, redacted=data, dialect=dialect)
    return Thinking(words, signature=data, dialect=dialect)


def tool_signature(item: Json) -> str | None:
    """What a reasoning item holds for the tool call behind it; None where it is reasoning."""
    kind, _, data = _unmarked(text(item.get("encrypted_content")) or "")
    return data if kind == "tool" else None


def encrypted(thinking: Thinking) -> str | None:
    """The `encrypted_content` that keeps what the provider wants back; None where there is nothing."""
    if thinking.redacted:
        return _marked("redacted", thinking.dialect, thinking.redacted)
    if not thinking.signature:
        return None
    own = thinking.dialect == DIALECT
    return thinking.signature if own else _marked("thinking", thinking.dialect, thinking.signature)


def reasoning_item(thinking: Thinking, **more: str) -> Json:
    """A reasoning item of any provider's reasoning, for a client to keep."""
    summary = [{"type": "summary_text", "text": thinking.text}] if thinking.text else []
    proof = encrypted(thinking)
    return {"type": "reasoning", "summary": summary, **({"encrypted_content": proof} if proof else {}), **more}


def signature_item(signature: str, **more: str) -> Json:
    """The reasoning item that keeps the signature of the tool call behind it."""
    return {"type": "reasoning", "summary": [], "encrypted_content": _marked("tool", "", signature), **more}


def _marked(kind: str, dialect: str, data: str) -> str:
    return f"{_MARK}:{kind}:{dialect}:{data}"


def _unmarked(proof: str) -> tuple[str, str, str]:
    mark, _, rest = proof.partition(":")
    if mark != _MARK or rest.count(":") < 2:  # noqa: PLR2004  # kind, dialect, data
        return "thinking", DIALECT, proof
    kind, dialect, data = rest.split(":", 2)
    return kind, dialect, data
