from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.usage import Metered, Unit, Usage
from underspend.formats.anthropic_reply import metered_message
from underspend.readers.claude_code import usage
from underspend.readers.claude_code.records import pack
from underspend.readers.claude_code.shapes import Message

COUNTS = st.integers(0, 10**6)
LANES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
UNITS = st.lists(st.builds(Unit, st.sampled_from(["message", "advisor_message"]), LANES), min_size=1, max_size=3)
BILLS = st.builds(
    lambda units, reported, model: Metered(
        provider="anthropic", model=model, units=tuple(units), reported=reported, stop_reason=None
    ),
    UNITS,
    LANES,
    st.sampled_from([None, "a", "b"]),
)
RAW_USAGE = st.fixed_dictionaries(
    {"input_tokens": COUNTS, "output_tokens": COUNTS},
    optional={
        "cache_read_input_tokens": COUNTS,
        "cache_creation_input_tokens": COUNTS | st.none(),
        "cache_creation": st.fixed_dictionaries(
            {}, optional={"ephemeral_5m_input_tokens": COUNTS, "ephemeral_1h_input_tokens": COUNTS}
        ),
        "iterations": st.lists(
            st.fixed_dictionaries({"type": st.just("advisor_message"), "model": st.just("m"), "output_tokens": COUNTS}),
            max_size=2,
        ),
        "server_tool_use": st.fixed_dictionaries({"web_search_requests": COUNTS}),
    },
)


def joined(*items: dict[str, Any]) -> Metered:
    found = usage.Bill()
    for item in items:
        found.take(msgspec.json.decode(msgspec.json.encode({"model": "m", "usage": item}), type=Message))
    return msgspec.msgpack.decode(pack(found.metered("msg_1")), type=Metered)


@given(RAW_USAGE)
def test_one_line_is_billed_as_a_reply_of_the_api(item: dict[str, Any]) -> None:
    whole = metered_message({"id": "msg_1", "model": "m", "usage": item, "content": [{}]})
    found = joined(item)
    assert (found.reported, found.web_searches) == (whole.reported, whole.web_searches)
    if len(whole.units) != 1:
        assert found.units == whole.units


@given(st.lists(RAW_USAGE, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_matters(items: list[dict[str, Any]], random: Any) -> None:
    other = [*items, *items]
    random.shuffle(other)
    assert joined(*items) == joined(*other)


def test_each_field_is_at_its_largest() -> None:
    first = {"input_tokens": 3, "output_tokens": 1, "cache_creation_input_tokens": 50}
    last = {
        "input_tokens": 1,
        "output_tokens": 900,
        "cache_creation_input_tokens": 50,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 50},
    }
    assert joined(first, last).usage == Usage(input=3, cache_write_1h=50, output=900)


def test_iterations_of_other_models_are_units() -> None:
    item = {
        "input_tokens": 5,
        "output_tokens": 7,
        "iterations": [
            {"type": "message", "input_tokens": 5, "output_tokens": 7},
            {"type": "advisor_message", "model": "other", "input_tokens": 11, "output_tokens": 13},
        ],
    }
    found = joined(item)
    assert [unit.model for unit in found.units] == [None, "other"]
    assert found.usage == Usage(input=16, output=20)


def test_one_iteration_that_lags_behind_the_totals() -> None:
    item = {"input_tokens": 5, "output_tokens": 70, "iterations": [{"type": "message", "output_tokens": 1}]}
    assert joined(item).usage == Usage(input=5, output=70)


def test_modifiers() -> None:
    item = {
        "input_tokens": 1,
        "speed": "fast",
        "inference_geo": "us",
        "service_tier": "standard",
        "output_tokens_details": {"thinking_tokens": 9},
        "fallback_credit": {"status": {"type": "redeemed"}},
    }
    found = joined({"input_tokens": 1, "fallback_credit": None}, item)
    assert (found.speed, found.inference_geo, found.service_tier) == ("fast", "us", "standard")
    assert (found.thinking_tokens, found.fallback_credit) == (9, True)


def test_counts_beyond_all_measure_are_bounded() -> None:
    found = joined({"input_tokens": 10**18, "output_tokens": 10**12, "cache_creation_input_tokens": 10**15})
    assert max(found.usage.input, found.usage.output, found.usage.prompt) <= 2 * 10**10


@given(BILLS, BILLS, BILLS)
def test_two_files_knowledge_of_one_reply(a: Metered, b: Metered, c: Metered) -> None:
    larger = usage.larger
    assert larger(a, a) == a
    assert larger(a, b).units == larger(b, a).units or len(a.units) != len(b.units)
    assert larger(larger(a, b), c).reported == larger(a, larger(b, c)).reported
    assert larger(a, b).reported == larger(b, a).reported
