"""A scripted reply made for one request: its message object, its usage at the start and the end, its bill."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from underspend.testing.fake_upstream import replies, tokens
from underspend.testing.fake_upstream.bill import Charge, Counts, Terms, Unit, charge
from underspend.testing.fake_upstream.pieces import Piece
from underspend.testing.fake_upstream.prices import Model, PriceSource
from underspend.testing.fake_upstream.prompt_cache import Placement
from underspend.testing.fake_upstream.replies import UNNAMED, Block, Iteration, Reply
from underspend.testing.fake_upstream.view import RequestView


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A reply made for one request: everything the wire and the bill need. `started` and `final` are Counts."""

    reply: Reply
    message_id: str
    model: str
    content: list[Block]
    stop_reason: str
    started: Counts
    final: Counts
    geo: str
    speed: str | None
    safeguard_results: list[Block] | None

    @property
    def served_model(self) -> str:
        """The model of the finished message: the fallback's when one served it."""
        last = self.reply.iterations[-1] if self.reply.iterations else None
        if last is not None and last.type == "fallback_message" and last.model:
            return last.model
        return self.model

    def start_usage(self) -> dict[str, Any]:
        """Usage as message_start reports it: provisional, with the write split."""
        return {**_lanes(self.started), **_split(self.started), "output_tokens": 1, **self._terms()}

    def delta_usage(self) -> dict[str, Any]:
        """Cumulative usage as message_delta reports it: no write split."""
        if self.reply.bare_delta:
            return {"output_tokens": self.final.output}
        return {**_lanes(self.final), "output_tokens": self.final.output, **self._ending()}

    def usage(self) -> dict[str, Any]:
        """Usage of the finished message as a JSON answer reports it."""
        return {
            **_lanes(self.final),
            **_split(self.final),
            "output_tokens": self.final.output,
            **self._terms(),
            **self._ending(),
        }

    def message(self) -> dict[str, Any]:
        """The finished message object."""
        finished = {
            "model": self.served_model,
            "id": self.message_id,
            "type": "message",
            "role": "assistant",
            "content": self.content,
            "stop_reason": self.stop_reason,
            "stop_sequence": self.reply.stop_sequence,
            "stop_details": self.reply.stop_details,
            "usage": self.usage(),
        }
        if self.safeguard_results is not None:
            finished["safeguard_results"] = self.safeguard_results
        return {**finished, **self.reply.extra}

    def units(self) -> list[Unit]:
        """What is billed when the reply was sent to its end."""
        if not self.reply.iterations:
            return [Unit(self.served_model, self.final)]
        return [Unit(i.model or self.model, i.counts, i.declined) for i in self._iterations()]

    def terms(self) -> Terms:
        """What multiplies or adds to the bill."""
        return Terms(
            batch=self.reply.service_tier == "batch",
            us_geo=self.geo == "us",
            speed=self.speed or "standard",
            web_searches=self.reply.web_searches,
            free=self.stop_reason == "refusal" and not self.content,
        )

    def charge(self, prices: PriceSource, web_search: int, streamed: list[Piece] | None) -> Charge:
        """The charge once the answer ended.

        `streamed` are the events that were sent of a stream that may have been cut; None bills the whole reply.
        """
        final, usage, terms = self.final, self.usage(), self.terms()
        units = self.units()
        if streamed is not None and not any(piece.kind == "message_delta" for piece in streamed):
            final = replace(self.started, output=streamed[-1].output_tokens if streamed else 0)
            usage = {**self.start_usage(), "output_tokens": final.output}
            units, terms = [Unit(self.model, final)], replace(terms, web_searches=0)
        bill = charge(units, terms, prices, web_search=web_search)
        return Charge(self.message_id, self.served_model, usage, bill)

    def _iterations(self) -> list[Iteration]:
        given = list(self.reply.iterations)
        if any(entry.type in {"message", "fallback_message"} for entry in given):
            return given
        final = self.final
        own = Iteration(
            type="message",
            input_tokens=final.input,
            cache_write_5m=final.cache_write_5m,
            cache_write_1h=final.cache_write_1h,
            cache_read=final.cache_read,
            output_tokens=final.output,
        )
        return [*given, own]

    def _terms(self) -> dict[str, Any]:
        said = {"service_tier": self.reply.service_tier, "inference_geo": self.geo}
        return said if self.speed is None else {**said, "speed": self.speed}

    def _ending(self) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if self.reply.thinking_tokens is not None:
            said["output_tokens_details"] = {"thinking_tokens": self.reply.thinking_tokens}
        if self.reply.web_searches:
            said["server_tool_use"] = {
                "web_search_requests": self.reply.web_searches,
                "web_fetch_requests": 0,
            }
        if self.reply.iterations:
            said["iterations"] = [_entry(i) for i in self._iterations()]
        return said


def render(view: RequestView, reply: Reply, placement: Placement, facts: Model | None, *, message_id: str) -> Rendered:
    """The reply as it is given to this request, cut to the request's `max_tokens`."""
    body = view.json
    content = _with_own_ids(reply.blocks(), message_id)
    output = replies.output_tokens(content) if reply.output_tokens is None else reply.output_tokens
    stop = reply.stop_reason or _stop_reason(content)
    if output > body["max_tokens"]:
        content, output, stop = _cut(content, body["max_tokens"]), body["max_tokens"], "max_tokens"
    started = Counts(placement.input, placement.cache_write_5m, placement.cache_write_1h, placement.cache_read, 1)
    return Rendered(
        reply=reply,
        message_id=message_id,
        model=reply.model or (view.model if facts is None else facts.id),
        content=content,
        stop_reason=stop,
        started=started,
        final=_final(reply, started, output),
        geo=reply.inference_geo or body.get("inference_geo") or _geo(facts),
        speed=reply.speed or _speed(body, facts),
        safeguard_results=_safeguards(body, content) if reply.answer_safeguards else None,
    )


def _with_own_ids(content: list[Block], message_id: str) -> list[Block]:
    named = []
    for index, block in enumerate(content):
        own = f"{message_id.removeprefix('msg_')}{index:02d}"
        if block.get("id") in UNNAMED:
            named.append({**block, "id": f"{block['id']}{own}"})
        elif block.get("tool_use_id") in UNNAMED and named:
            named.append({**block, "tool_use_id": named[-1].get("id")})
        else:
            named.append(block)
    return named


def _stop_reason(content: list[Block]) -> str:
    return "tool_use" if any(block.get("type") == "tool_use" for block in content) else "end_turn"


def _cut(content: list[Block], limit: int) -> list[Block]:
    kept: list[Block] = []
    left = limit
    for block in content:
        cost = replies.output_tokens([block])
        if cost <= left:
            kept.append(block)
        elif block.get("type") == "text" and left > 0:
            text = replies.block_text(block).encode()[: left * tokens.BYTES_PER_TOKEN]
            kept.append({**block, "text": text.decode(errors="ignore")})
        left -= cost
        if left <= 0:
            break
    return kept


def _final(reply: Reply, started: Counts, output: int) -> Counts:
    last = reply.iterations[-1] if reply.iterations else None
    base = last.counts if last is not None and last.type == "fallback_message" else started
    growth, said = reply.growth, reply.final_usage
    return Counts(
        input=said.get("input_tokens", base.input + growth.input_tokens),
        cache_write_5m=said.get("cache_write_5m", base.cache_write_5m + growth.cache_write_5m),
        cache_write_1h=said.get("cache_write_1h", base.cache_write_1h),
        cache_read=said.get("cache_read_input_tokens", base.cache_read + growth.cache_read),
        output=said.get("output_tokens", base.output if base is not started else output),
    )


def _geo(facts: Model | None) -> str:
    return "global" if facts is not None and facts.us_geo else "not_available"


def _speed(body: dict[str, Any], facts: Model | None) -> str | None:
    asked = body.get("speed")
    if asked is None:
        return None
    return str(asked) if facts is None or facts.fast is not None else "standard"


def _safeguards(body: dict[str, Any], content: list[Block]) -> list[Block] | None:
    asked = body.get("safeguards")
    if not isinstance(asked, list):
        return None
    verdicts = {
        block["id"]: {"type": "evaluated", "outcome": "not_flagged"}
        for block in content
        if block.get("type") == "tool_use"
    }
    status = {"type": "available", "tool_uses": verdicts}
    return [{"type": guard.get("type"), "status": status} for guard in asked if isinstance(guard, dict)]


def _lanes(counts: Counts) -> dict[str, int]:
    return {
        "input_tokens": counts.input,
        "cache_creation_input_tokens": counts.cache_write_5m + counts.cache_write_1h,
        "cache_read_input_tokens": counts.cache_read,
    }


def _split(counts: Counts) -> dict[str, dict[str, int]]:
    return {
        "cache_creation": {
            "ephemeral_5m_input_tokens": counts.cache_write_5m,
            "ephemeral_1h_input_tokens": counts.cache_write_1h,
        }
    }


def _entry(iteration: Iteration) -> dict[str, Any]:
    counts = iteration.counts
    said = {**_lanes(counts), "output_tokens": counts.output, **_split(counts), "type": iteration.type}
    return said if iteration.model is None else {**said, "model": iteration.model}
