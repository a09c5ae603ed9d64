from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.usage import Usage
from underspend.formats.openai_usage import lanes, thinking

COUNTS = st.integers(0, 10**6)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 4}, Usage(10, output=4)),
        (
            {"input_tokens": 10, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 6}},
            Usage(4, cache_read=6, output=4),
        ),
        ({"prompt_tokens": 4020, "prompt_tokens_details": {"cache_write_tokens": 4012}}, Usage(8, 4012)),
        (
            {"prompt_tokens": 90, "prompt_tokens_details": {"cache_write_tokens": {"ttl_30m": 50, "ttl_12h": 30}}},
            Usage(10, 50, 30),
        ),
        (
            {
                "input_tokens": 90,
                "input_tokens_details": {
                    "cache_write_tokens": 80,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 50, "ttl_12h_tokens": 30},
                },
            },
            Usage(10, 50, 30),
        ),
        # DeepSeek, Moonshot
        (
            {"prompt_tokens": 339, "prompt_cache_hit_tokens": 320, "prompt_cache_miss_tokens": 19},
            Usage(19, cache_read=320),
        ),
        ({"prompt_tokens": 30, "cached_tokens": 20}, Usage(10, cache_read=20)),
        # Gemini behind OpenRouter wrote what it then read, and bills for both.
        (
            {"prompt_tokens": 2168, "prompt_tokens_details": {"cached_tokens": 2161, "cache_write_tokens": 2161}},
            Usage(7, 2161, 0, 2161),
        ),
        ({"prompt_tokens": 5, "cached_tokens": 9}, Usage(0, cache_read=5)),
        (
            {"prompt_tokens": 30, "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 20}},
            Usage(0, 20, 0, 10),
        ),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cache_write_tokens": 12}}, Usage(0, 12)),
        ({"prompt_tokens": None, "prompt_tokens_details": 3}, Usage()),
        ({}, Usage()),
    ],
)
def test_lanes(usage: dict[str, Any], expected: Usage) -> None:
    assert lanes(usage) == expected


@given(fresh=COUNTS, read=COUNTS, written=COUNTS, output=COUNTS)
def test_what_was_read_and_written_is_part_of_the_prompt(fresh: int, read: int, written: int, output: int) -> None:
    details = {"cached_tokens": read, "cache_write_tokens": written}
    usage = {"prompt_tokens": fresh + read + written, "prompt_tokens_details": details, "completion_tokens": output}
    assert lanes(usage) == Usage(fresh, written, 0, read, output)


@pytest.mark.parametrize("name", ["completion_tokens_details", "output_tokens_details"])
def test_thinking(name: str) -> None:
    assert thinking({name: {"reasoning_tokens": 67}}) == 67
    assert thinking({name: None}) == 0
