"""OpenAI-shaped `usage` (Chat Completions, Responses, and the providers that copy them) → lanes.

There `prompt_tokens`/`input_tokens` INCLUDE what was read from and written to the cache, so fresh input is what is
left. DeepSeek names its reads `prompt_cache_hit_tokens`; Moonshot puts `cached_tokens` at the top.
"""

from __future__ import annotations

from underspend.core.usage import Usage
from underspend.formats.lenient import Json, count, obj


def lanes(usage: Json) -> Usage:
    """One usage object by lane. Writes of 30 minutes are the short lane, of 12 hours the long one."""
    details = obj(usage.get("prompt_tokens_details")) or obj(usage.get("input_tokens_details"))
    prompt = count(usage.get("prompt_tokens", usage.get("input_tokens")))
    read = min(
        prompt, _first(details.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), usage.get("cached_tokens"))
    )
    short, long = _written(details)
    fresh = prompt - read - short - long
    if fresh < 0:
        # Gemini behind OpenRouter counts what it wrote and then read in both, and is billed for both.
        fresh = max(0, prompt - max(read, short + long))
    return Usage(
        input=fresh,
        cache_write_5m=short,
        cache_write_1h=long,
        cache_read=read,
        output=count(usage.get("completion_tokens", usage.get("output_tokens"))),
    )


def thinking(usage: Json) -> int:
    """Reasoning tokens, a subset of the output."""
    details = obj(usage.get("completion_tokens_details")) or obj(usage.get("output_tokens_details"))
    return count(details.get("reasoning_tokens"))


def _written(details: Json) -> tuple[int, int]:
    # OpenAI's SDK (3.52) has the sum as a number and its parts beside it; earlier both were one member.
    split = obj(details.get("cache_write_tokens_details"))
    if split:
        return count(split.get("ttl_30m_tokens")), count(split.get("ttl_12h_tokens"))
    written = details.get("cache_write_tokens")
    if isinstance(written, dict):
        return count(written.get("ttl_30m")), count(written.get("ttl_12h"))
    return count(written), 0


def _first(*values: object) -> int:
    return next((count(value) for value in values if count(value)), 0)
