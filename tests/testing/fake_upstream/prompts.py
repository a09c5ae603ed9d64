"""Prompts of exact size, placed in a cache at an exact time."""

from __future__ import annotations

from typing import Any

from underspend.testing.fake_upstream import PriceList, PromptCache, build_prompt
from underspend.testing.fake_upstream.clock import SECOND
from underspend.testing.fake_upstream.prompt_cache import Placement

OPUS = "claude-opus-5-5"
MINIMUM = 512
ENVELOPE = len('{"text":"","type":"text"}')
FACTS = PriceList()


def text(tokens: int, fill: str = "a", ttl: str | None = None) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": (fill * (4 * tokens))[: 4 * tokens - ENVELOPE]}
    if ttl is not None:
        block["cache_control"] = {"type": "ephemeral"} if ttl == "5m" else {"type": "ephemeral", "ttl": ttl}
    return block


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def ask(
    cache: PromptCache,
    body: dict[str, Any],
    *,
    at: float = 0,
    began: float | None = None,
    model: str = OPUS,
    workspace: str = "w",
) -> Placement:
    facts = FACTS.find(model)
    prompt = build_prompt(body, workspace=workspace, model=model, facts=facts)
    placed = cache.admit(prompt, minimum=FACTS.min_cache_tokens(model), now=round(at * SECOND))
    cache.began(placed, now=round((at if began is None else began) * SECOND))
    return placed


def lanes(placed: Placement) -> tuple[int, int, int, int]:
    return placed.input, placed.cache_read, placed.cache_write_5m, placed.cache_write_1h
