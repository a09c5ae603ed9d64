"""Events in the neutral form → a stream of the Responses API. Every event has its number, from 0 on without a gap."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from underspend.formats.dialects.neutral import (
    Alive,
    Ask,
    Began,
    Ended,
    Event,
    More,
    PartBegan,
    PartEnded,
    Problem,
    Refusal,
    Text,
    Thinking,
    ToolUse,
)
from underspend.formats.dialects.responses_answer_writer import (
    Frame,
    call_item,
    client_names,
    item_id,
    items_of,
    message_item,
    response_id,
)
from underspend.formats.dialects.responses_problem import error_object, failure
from underspend.formats.dialects.responses_reasoning import signature_item
from underspend.formats.lenient import Json

_PREFIX = {Text: "msg", Refusal: "msg", Thinking: "rs", ToolUse: "fc"}
_EMPTY_TEXT: Json = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}


class ResponsesEventWriter:
    """Write it the events in order; after the reply's end, or an error, it says nothing more."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._names = client_names(ask)
        self._frame: Frame | None = None
        self._response = ""
        self._number = 0
        self._output: list[Json] = []
        self._part: Text | Thinking | ToolUse | Refusal | None = None
        self._said: list[str] = []
        self._over = False

    def write(self, event: Event) -> bytes:
        """The bytes of one event."""
        if self._over:
            return b""
        match event:
            case Began():
                said = self._begin(event)
            case PartBegan():
                said = self._open(event.part)
            case More():
                said = self._more(event.text)
            case PartEnded():
                said = self._close(event.signature)
            case Ended():
                said = self._end(event)
            case Problem():
                said = self._fail(event)
            case Alive():
                said = b": alive\n\n"
        return said

    def _begin(self, event: Began) -> bytes:
        self._response = response_id(event.id, event.model)
        self._frame = Frame(self._ask, self._response, event.model)
        state = self._frame.under_way()
        return self._event("response.created", response=state) + self._event("response.in_progress", response=state)

    def _open(self, part: Text | Thinking | ToolUse | Refusal) -> bytes:
        said = b""
        if isinstance(part, ToolUse) and part.signature:
            said = self._keep(part.signature)
        self._part, self._said = part, []
        match part:
            case Text():
                return self._add(message_item(self._id, [], "in_progress")) + self._piece("added", _EMPTY_TEXT)
            case Refusal():
                empty: Json = {"type": "refusal", "refusal": ""}
                return self._add(message_item(self._id, [], "in_progress")) + self._piece("added", empty)
            case ToolUse():
                said += self._add(call_item(part, self._id, self._names, "", "in_progress"))
            case Thinking():
                said += self._add({"id": self._id, "type": "reasoning", "status": "in_progress", "summary": []})
        return said

    def _keep(self, signature: str) -> bytes:
        """An item for the client to send back with the tool call behind it."""
        item = signature_item(signature, id=item_id("rs", self._response, len(self._output)), status="completed")
        said = self._add(item) + self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        return said

    def _more(self, words: str) -> bytes:
        first, place = not self._said, self._place
        self._said.append(words)
        match self._part:
            case Text():
                return self._event("response.output_text.delta", **place, content_index=0, delta=words, logprobs=[])
            case Refusal():
                return self._event("response.refusal.delta", **place, content_index=0, delta=words)
            case ToolUse():
                return self._event("response.function_call_arguments.delta", **place, delta=words)
            case Thinking():
                begun = self._summary("part.added", part={"type": "summary_text", "text": ""}) if first else b""
                return begun + self._summary("text.delta", delta=words)
            case None:
                return b""

    def _close(self, signature: str) -> bytes:
        words, place = "".join(self._said), self._place
        match self._part:
            case None:
                return b""
            case Text():
                item = self._whole(Text(words))
                said = self._event("response.output_text.done", **place, content_index=0, text=words, logprobs=[])
                said += self._piece("done", item["content"][0])
            case Refusal():
                item = self._whole(Refusal(words))
                said = self._event("response.refusal.done", **place, content_index=0, refusal=words)
                said += self._piece("done", item["content"][0])
            case ToolUse() as use:
                item = self._whole(replace(use, arguments=words or "{}", signature=""))
                arguments, name = item["arguments"], item["name"]
                said = self._event("response.function_call_arguments.done", **place, name=name, arguments=arguments)
            case Thinking() as thinking:
                item = self._whole(replace(thinking, text=words, signature=signature or thinking.signature))
                said = self._summary("text.done", text=words) if words else b""
                said += self._summary("part.done", part=item["summary"][0]) if words else b""
        said += self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        self._part = None
        return said

    def _end(self, event: Ended) -> bytes:
        closed = self._close("")
        self._over = True
        if self._frame is None:
            return b""
        whole = self._frame.response(
            self._output, stop=event.stop, usage=event.usage, thinking_tokens=event.thinking_tokens
        )
        return closed + self._event(f"response.{whole['status']}", response=whole)

    def _fail(self, event: Problem) -> bytes:
        """An error in the midst of a stream, as OpenAI sends it: by itself, then in the response that failed."""
        error = error_object(event)
        told = {name: error[name] for name in ("code", "message", "param")}
        said = self._event("error", **told, error=error)
        self._over = True
        if self._frame is None:
            return said
        return said + self._event("response.failed", response=self._frame.failed(self._output, failure(event)))

    def _whole(self, part: Text | Thinking | ToolUse | Refusal) -> Json:
        return next(items_of(part, self._response, len(self._output), self._names))

    @property
    def _id(self) -> str:
        return item_id(_PREFIX[type(self._part)], self._response, len(self._output)) if self._part else ""

    @property
    def _place(self) -> Json:
        return {"item_id": self._id, "output_index": len(self._output)}

    def _add(self, item: Json) -> bytes:
        return self._event("response.output_item.added", output_index=len(self._output), item=item)

    def _piece(self, state: str, part: Json) -> bytes:
        return self._event(f"response.content_part.{state}", **self._place, content_index=0, part=part)

    def _summary(self, what: str, **more: object) -> bytes:
        return self._event(f"response.reasoning_summary_{what}", **self._place, summary_index=0, **more)

    def _event(self, kind: str, **more: object) -> bytes:
        payload = msgspec.json.encode({"type": kind, "sequence_number": self._number, **more})
        self._number += 1
        return b"event: " + kind.encode() + b"\ndata: " + payload + b"\n\n"
