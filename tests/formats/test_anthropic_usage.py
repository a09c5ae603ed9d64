from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.usage import Unit, Usage
from underspend.formats.anthropic_usage import merge, split_lanes, units

FIELDS = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
USAGE = st.dictionaries(st.sampled_from(FIELDS), st.none() | st.integers(0, 10**6))


@given(USAGE, USAGE)
def test_the_last_word_wins_field_by_field(earlier: dict[str, Any], later: dict[str, Any]) -> None:
    merged = merge(earlier, later)
    for name in FIELDS:
        assert merged.get(name) == (later[name] if later.get(name) is not None else earlier.get(name))


def test_a_lower_count_overwrites_a_higher_one() -> None:
    assert merge({"input_tokens": 612}, {"input_tokens": 28})["input_tokens"] == 28


def written(total: int, five_minutes: int, one_hour: int) -> dict[str, Any]:
    split = {"ephemeral_5m_input_tokens": five_minutes, "ephemeral_1h_input_tokens": one_hour}
    return {"cache_creation_input_tokens": total, "cache_creation": split}


@pytest.mark.parametrize(
    ("usage", "lanes"),
    [
        ({}, Usage()),
        ({"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 5}, Usage(3, 0, 0, 5, 4)),
        ({"cache_creation_input_tokens": 9}, Usage(0, 9)),
        (written(9, 2, 7), Usage(0, 2, 7)),
        # The total came later than the split: what was added since is 5m, what is gone was not 1h.
        (written(12, 2, 7), Usage(0, 5, 7)),
        (written(5, 0, 7), Usage(0, 0, 5)),
        ({"cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 7}}, Usage(0, 2, 7)),
        ({"input_tokens": None, "output_tokens": "many", "cache_creation": []}, Usage()),
    ],
)
def test_lanes(usage: dict[str, Any], lanes: Usage) -> None:
    assert split_lanes(usage) == lanes


@given(total=st.integers(0, 10**6), five=st.integers(0, 10**6), hour=st.integers(0, 10**6))
def test_no_written_token_is_lost_or_made_up(total: int, five: int, hour: int) -> None:
    lanes = split_lanes(written(total, five, hour))
    assert lanes.cache_write_5m + lanes.cache_write_1h == total
    assert lanes.cache_write_1h <= hour


def test_without_iterations_the_top_level_is_billed() -> None:
    assert units({"input_tokens": 3}) == (Unit("message", Usage(3)),)
    assert units({"input_tokens": 3, "iterations": []}) == (Unit("message", Usage(3)),)
    assert units({"input_tokens": 3, "iterations": None}) == (Unit("message", Usage(3)),)


def test_iterations_replace_the_top_level_and_keep_their_models() -> None:
    usage = {
        "input_tokens": 999,
        "iterations": [
            {"type": "compaction", "input_tokens": 5},
            {"type": "advisor_message", "input_tokens": 6, "model": "claude-opus-4-8"},
            {"input_tokens": 7, "model": None},
        ],
    }
    assert units(usage) == (
        Unit("compaction", Usage(5)),
        Unit("advisor_message", Usage(6), "claude-opus-4-8"),
        Unit("message", Usage(7)),
    )


@pytest.mark.parametrize(
    ("attempts", "billed"),
    [
        ([("message", 0), ("fallback_message", 9)], [False, True]),
        ([("message", 4), ("fallback_message", 9)], [True, True]),
        ([("message", 0), ("fallback_message", 0), ("fallback_message", 3)], [False, False, True]),
        ([("message", 0)], [True]),
        ([("compaction", 0), ("message", 0), ("fallback_message", 3)], [True, False, True]),
        ([("fallback_message", 3), ("message", 0)], [True, True]),
    ],
)
def test_attempts_declined_before_output_are_not_billed(attempts: list[tuple[str, int]], billed: list[bool]) -> None:
    iterations = [{"type": kind, "input_tokens": 1, "output_tokens": output} for kind, output in attempts]
    assert [unit.billed for unit in units({"iterations": iterations})] == billed


def test_the_top_levels_split_serves_the_one_iteration_that_lacks_it() -> None:
    top = {"cache_creation": {"ephemeral_1h_input_tokens": 40}}
    writer = {"type": "message", "cache_creation_input_tokens": 40}
    other = {"type": "message", "cache_creation_input_tokens": 0}
    assert units({**top, "iterations": [writer, other]})[0].usage == Usage(0, 0, 40)
    assert units({**top, "iterations": [writer, writer]})[0].usage == Usage(0, 40, 0)
