"""A whole reply of the Responses API → an answer in the neutral form."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from underspend.formats.dialects import responses_usage
from underspend.formats.dialects.neutral import Answer, Part, Refusal, Stop, Text, ToolUse
from underspend.formats.dialects.responses_reasoning import read_reasoning
from underspend.formats.lenient import Json, decode, items, obj, text


def read_answer(body: bytes) -> Answer:
    """A reply. Raises ValueError for what is none: an error, and a response that failed or is not done."""
    try:
        whole = obj(decode(body))
    except msgspec.DecodeError as error:
        raise ValueError(f"the reply is no JSON: {error}") from error
    status = text(whole.get("status"))
    if status not in {"completed", "incomplete"} or not isinstance(whole.get("output"), list):
        reason = text(obj(whole.get("error")).get("message"))
        raise ValueError(reason or f"the reply is no finished response but {status or 'something else'}")
    usage = obj(whole.get("usage"))
    parts = tuple(part for item in items(whole["output"]) for part in parts_of(item))
    return Answer(
        id=text(whole.get("id")) or "",
        model=text(whole.get("model")) or "",
        parts=parts,
        stop=stop_of(whole, parts),
        usage=responses_usage.lanes(usage),
        thinking_tokens=responses_usage.thinking(usage),
    )


def parts_of(item: Json) -> Iterator[Part]:
    """The parts of one item of the output; none of what OpenAI's own tools did."""
    match item.get("type"):
        case "message":
            for piece in items(item.get("content")):
                if piece.get("type") == "refusal":
                    yield Refusal(text(piece.get("refusal")) or "")
                elif piece.get("type") == "output_text":
                    yield Text(text(piece.get("text")) or "")
        case "reasoning":
            yield read_reasoning(item)
        case "function_call":
            yield ToolUse(
                text(item.get("call_id")) or text(item.get("id")) or "",
                text(item.get("name")) or "",
                text(item.get("arguments")) or "{}",
            )


def stop_of(response: Json, parts: tuple[Part, ...]) -> Stop:
    """Why the reply ended. One that is incomplete for a reason unknown counts as cut short, never as whole."""
    if response.get("status") == "incomplete":
        reason = obj(response.get("incomplete_details")).get("reason")
        return Stop.REFUSAL if reason == "content_filter" else Stop.LENGTH
    if any(isinstance(part, ToolUse) for part in parts):
        return Stop.TOOLS
    return Stop.REFUSAL if any(isinstance(part, Refusal) for part in parts) else Stop.END
