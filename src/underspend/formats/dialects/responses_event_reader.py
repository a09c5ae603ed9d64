"""A stream of the Responses API → events in the neutral form."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import msgspec

from underspend.formats.dialects import responses_usage
from underspend.formats.dialects.keepalive import COMMENT, LivelyParser
from underspend.formats.dialects.neutral import (
    Alive,
    Began,
    Ended,
    Event,
    Problem,
    Refusal,
    Text,
    Thinking,
    ToolUse,
)
from underspend.formats.dialects.responses_answer_reader import parts_of, stop_of
from underspend.formats.dialects.responses_part_order import PartOrder
from underspend.formats.dialects.responses_problem import in_stream
from underspend.formats.dialects.responses_reasoning import DIALECT, read_reasoning
from underspend.formats.lenient import Json, decode, items, obj, text

BROKEN_OFF = "the provider's stream broke off before its end"
_WORDS = {
    "response.output_text.delta",
    "response.refusal.delta",
    "response.function_call_arguments.delta",
    "response.reasoning_summary_text.delta",
    "response.reasoning_text.delta",
}


class ResponsesEventReader:
    """Feed it the provider's bytes. Tools that only OpenAI has leave no event."""

    def __init__(self) -> None:
        self._sse = LivelyParser()
        self._order = PartOrder()
        self._began = False
        self._over = False
        self._kinds: dict[Hashable, str] = {}

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that these bytes complete."""
        return [event for document in self._sse.feed(data) for event in self._take(document)]

    def finish(self) -> Sequence[Event]:
        """What is left; a `Problem` where the stream never came to its own end."""
        left = [event for document in self._sse.finish() for event in self._take(document)]
        if not self._over:
            self._over = True
            left.append(Problem("api_error", BROKEN_OFF))
        return left

    def _take(self, document: bytes) -> list[Event]:
        if self._over:
            return []
        if document == COMMENT:
            return [Alive()]
        try:
            event = obj(decode(document))
        except msgspec.DecodeError:
            return []
        return self._read(text(event.get("type")) or "", event)

    def _read(self, kind: str, event: Json) -> list[Event]:
        match kind:
            case "response.created" | "response.queued" | "response.in_progress":
                return self._begin(obj(event.get("response")))
            case "response.completed" | "response.incomplete":
                return self._end(obj(event.get("response")))
            case "response.failed" | "error":
                return self._fail(event)
            case "keepalive" | "ping":
                return [Alive()]
            case "response.output_item.added":
                self._item(event)
            case "response.content_part.added":
                self._piece(event)
            case "response.reasoning_summary_part.added" if event.get("summary_index"):
                self._more(_item_key(event), "summary", "\n\n")
            case "response.output_item.done":
                self._item_done(event)
            case _ if kind in _WORDS:
                self._words(kind, event)
        said = self._order.take()
        # A stream whose first event was lost still has a beginning.
        return [*self._begin({}), *said] if said else []

    def _begin(self, response: Json) -> list[Event]:
        if self._began:
            return []
        self._began = True
        return [Began(text(response.get("id")) or "", text(response.get("model")) or "")]

    def _item(self, event: Json) -> None:
        item = obj(event.get("item"))
        if item.get("type") == "function_call":
            use = ToolUse(text(item.get("call_id")) or text(item.get("id")) or "", text(item.get("name")) or "", "")
            self._order.begin(_item_key(event), use)
        elif item.get("type") == "reasoning":
            self._order.begin(_item_key(event), Thinking(dialect=DIALECT))

    def _piece(self, event: Json) -> None:
        kind = text(obj(event.get("part")).get("type"))
        if kind in {"output_text", "refusal"}:
            self._order.begin(_piece_key(event), Refusal("") if kind == "refusal" else Text(""))

    def _words(self, kind: str, event: Json) -> None:
        words = text(event.get("delta")) or ""
        match kind:
            case "response.output_text.delta" | "response.refusal.delta":
                key = _piece_key(event)
                self._order.begin(key, Refusal("") if "refusal" in kind else Text(""))
                self._order.more(key, words)
            case "response.function_call_arguments.delta":
                self._order.more(_item_key(event), words)
            case _:
                self._more(_item_key(event), "summary" if "summary" in kind else "content", words)

    def _more(self, key: Hashable, kind: str, words: str) -> None:
        """More reasoning: of the summary or of the reasoning itself, whichever came first."""
        if self._kinds.setdefault(key, kind) == kind:
            self._order.more(key, words)

    def _item_done(self, event: Json) -> None:
        """An item is whole: what of it had not come in pieces is added."""
        item, key = obj(event.get("item")), _item_key(event)
        if item.get("type") == "message":
            for index, part in enumerate(parts_of(item)):
                place = (key, index)
                if isinstance(part, (Text, Refusal)):
                    self._order.begin(place, type(part)(""))
                    self._order.rest(place, part.text)
                self._order.end(place)
            return
        self._item(event)
        if item.get("type") == "function_call":
            self._order.rest(key, text(item.get("arguments")) or "")
            self._order.end(key)
        elif item.get("type") == "reasoning":
            thinking = read_reasoning(item)
            if not self._order.length(key):
                self._order.more(key, thinking.text)
            self._order.end(key, thinking.signature)

    def _end(self, response: Json) -> list[Event]:
        began = self._begin(response)
        if not self._order.parts:
            for index, item in enumerate(items(response.get("output"))):
                self._item_done({"output_index": index, "item": item})
        self._order.end_all()
        self._over = True
        usage = obj(response.get("usage"))
        stop = stop_of(response, self._order.parts)
        ended = Ended(stop, responses_usage.lanes(usage), thinking_tokens=responses_usage.thinking(usage))
        return [*began, *self._order.take(), ended]

    def _fail(self, event: Json) -> list[Event]:
        self._over = True
        told = obj(event.get("error")) or obj(obj(event.get("response")).get("error"))
        return [in_stream(told or {**event, "type": None})]


def _item_key(event: Json) -> Hashable:
    index = event.get("output_index")
    return index if isinstance(index, int) else text(event.get("item_id"))


def _piece_key(event: Json) -> Hashable:
    index = event.get("content_index")
    return (_item_key(event), index if isinstance(index, int) else 0)
