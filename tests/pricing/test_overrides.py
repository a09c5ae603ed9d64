from __future__ import annotations

import pytest

from underspend.core.errors import ConfigError
from underspend.pricing.overrides import per_token, read_overrides
from underspend.pricing.table import Rates


def test_usd_per_mtok_becomes_pico_dollars_per_token() -> None:
    assert per_token("3.00") == 3_000_000
    assert per_token("0.000001") == 1


@pytest.mark.parametrize("wrong", ["0.0000001", "three", "-1", "NaN", "Infinity", ""])
def test_what_is_no_exact_amount_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is"):
        per_token(wrong)


def test_cache_lanes_left_out_cost_what_input_costs() -> None:
    model = read_overrides({"My-Model": {"input": "3", "output": "15"}})["my-model"]
    assert model.standard_rates(0) == Rates(3_000_000, 3_000_000, 3_000_000, 3_000_000, 15_000_000)


def test_cache_lanes_given_are_kept() -> None:
    table = {"input": "3", "output": "15", "cache_write_5m": "3.75", "cache_read": "0.3"}
    assert read_overrides({"m": table})["m"].standard_rates(0) == Rates(
        3_000_000, 3_750_000, 3_750_000, 300_000, 15_000_000
    )


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"input": "3"}, "output is missing"),
        ({"input": 3.0, "output": "15"}, "input is not a string"),
        ({"input": "3", "output": "x"}, "'x' is not a number"),
        ({"input": "3", "output": "15", "cached": "1"}, "unknown key 'cached'"),
    ],
)
def test_a_wrong_table_is_named(table: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match="m") as raised:
        read_overrides({"m": table})
    assert said in str(raised.value)
    assert '[prices."m"]' in str(raised.value)
