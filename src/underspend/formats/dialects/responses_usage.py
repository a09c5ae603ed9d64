"""`usage` of the Responses API and lanes, both ways: there `input_tokens` include what was read and written."""

from __future__ import annotations

from underspend.core.usage import Usage
from underspend.formats import openai_usage
from underspend.formats.lenient import Json, count, obj


def lanes(usage: Json) -> Usage:
    """One usage object by lane; writes of 30 minutes are the short lane, of 12 hours the long one."""
    details = obj(usage.get("input_tokens_details"))
    split = obj(details.get("cache_write_tokens_details"))
    if not split:
        return openai_usage.lanes(usage)
    written = {"ttl_30m": count(split.get("ttl_30m_tokens")), "ttl_12h": count(split.get("ttl_12h_tokens"))}
    return openai_usage.lanes({**usage, "input_tokens_details": {**details, "cache_write_tokens": written}})


def thinking(usage: Json) -> int:
    """Reasoning tokens, a subset of the output."""
    return openai_usage.thinking(usage)


def write(usage: Usage, thinking_tokens: int) -> Json:
    """Lanes as a usage object: the whole prompt, of which so much was read and so much written."""
    written = usage.cache_write_5m + usage.cache_write_1h
    details: Json = {"cached_tokens": usage.cache_read, "cache_write_tokens": written}
    if written:
        details["cache_write_tokens_details"] = {
            "ttl_30m_tokens": usage.cache_write_5m,
            "ttl_12h_tokens": usage.cache_write_1h,
        }
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": details,
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": thinking_tokens},
        "total_tokens": usage.prompt + usage.output,
    }
