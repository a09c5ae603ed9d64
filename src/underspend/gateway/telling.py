"""What clients are told of the router's decisions: in the headers of replies, and as the answer to a dry run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from underspend.core.call import Call
from underspend.core.context import Context
from underspend.core.money import PICO_PER_DOLLAR, Money
from underspend.core.ports import Pricing
from underspend.core.usage import Metered
from underspend.gateway.books import Books
from underspend.gateway.entries import Entry
from underspend.gateway.routing import Look
from underspend.gateway.transport import RawHeaders, Responder
from underspend.routing.beliefs import Arm
from underspend.routing.decisions import Candidate, Routing


def of_whole(look: Look, entry: Entry, metered: Metered, books: Books) -> RawHeaders:
    """For a reply that is there as a whole: its cost, and by how much its tokens are dearer on the model asked for."""
    cost = books.price(entry, metered) if metered.has_usage else None
    told = _of_both(look, entry)
    if cost is None:
        return told
    told.append((b"x-underspend-cost", _usd(cost).encode()))
    home = look.routing.instead_of if look.routing is not None else None
    other = books.price(entry, metered, model=home.model, provider=home.provider) if home is not None else None
    if other is not None:
        told.append((b"x-underspend-saved", _usd(other - cost).encode()))
    return told


def of_stream(look: Look, entry: Entry, estimate: Money | None) -> RawHeaders:
    """For a stream, whose cost shows at its end: an estimate. The call's id leads to the bill."""
    told = _of_both(look, entry)
    if estimate is not None:
        told.append((b"x-underspend-cost-estimate", _usd(estimate).encode()))
    return told


def estimate(look: Look, call: Call, pricing: Pricing) -> Money | None:
    """What a call is expected to cost: its prompt, cached as far as it was, and a reply such as others of its kind."""
    rates = pricing.rates(call)
    if rates is None:
        return None
    warm = min(look.warm, call.prompt_tokens)
    prompt = warm * rates.cache_read + (call.prompt_tokens - warm) * rates.input
    return prompt + look.output * (rates.output or 0)


def _of_both(look: Look, entry: Entry) -> RawHeaders:
    routing, sent = look.routing, entry.plan.call
    reason = look.why_back or (routing.reason if routing is not None else "")
    return [
        (b"x-underspend-model-asked", _plain(str(look.named))),
        (b"x-underspend-model", _plain(sent.model)),
        (b"x-underspend-reason", _plain(reason)),
        (b"x-underspend-call", entry.call.id.encode()),
    ]


def dry(call: Call, routing: Routing | None, candidates: tuple[Candidate, ...], ctx: Context) -> dict[str, Any]:
    """What would be done with a call and why. Dollars are strings, for the calls expected to the slot's end."""
    if routing is None:
        routing = Routing(
            task=call.task,
            arm=(own := Arm(call.model, call.effort, call.provider)),
            instead_of=own,
            before=own,
            reason="the model that was named stays: routing is not open for this call",
        )
    chosen = routing.arm if routing.acts else routing.before
    return {
        "decision": {**_arm(chosen), "changes": routing.acts and routing.changes},
        "would": None if routing.acts else _arm(routing.arm),
        "asked": call.model,
        "class": routing.task,
        "reason": routing.reason,
        "candidates": [
            {
                **_arm(each.arm),
                "expected_cost": None if each.cost is None else _usd(each.cost),
                "quality": round(each.quality, 4),
                "quality_low": round(each.quality_low, 4),
                "results": each.results,
                "why_not": each.why_not or None,
            }
            for each in routing.candidates or candidates
        ],
        "prompt_tokens": call.prompt_tokens,
        "warm_tokens": ctx.conversation.warm_tokens,
    }


async def respond(responder: Responder, said: Mapping[str, Any], status: int = 200) -> None:
    """Answer with JSON of our own."""
    body = msgspec.json.encode(said)
    length = str(len(body)).encode()
    await responder.start(status, [(b"content-type", b"application/json"), (b"content-length", length)])
    await responder.write(body)
    await responder.end()


def _arm(arm: Arm) -> dict[str, str | None]:
    return {"model": arm.model, "provider": arm.provider, "effort": arm.effort}


def _usd(money: Money) -> str:
    """An exact amount of dollars, as `core.money.to_usd` has it, without the detour by way of a Decimal."""
    whole, part = divmod(abs(money), PICO_PER_DOLLAR)
    return f"{'-' if money < 0 else ''}{whole}.{part:012d}".rstrip("0").rstrip(".")


def _plain(text: str) -> bytes:
    """A text that can stand in a header, whatever it came from."""
    if text.isascii() and text.isprintable():
        return text.encode()
    return "".join(each if each.isascii() and each.isprintable() else "?" for each in text).encode()
