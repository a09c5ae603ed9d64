from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.tokens.estimate import Calibration, tokens_in


def test_before_anything_is_known() -> None:
    assert tokens_in(0) == 0
    assert tokens_in(35_000) == 10_000 == Calibration().tokens("claude-opus-5-5", 35_000)


def test_the_first_reply_sets_a_models_ratio_and_no_others() -> None:
    calibration = Calibration()
    calibration.observe("a", 44_000, 10_000)
    assert calibration.tokens("a", 4_400) == 1_000
    assert calibration.tokens("b", 3_500) == 1_000


@given(st.floats(1.5, 11.0), st.integers(1_000, 100_000))
def test_it_follows_what_replies_report(ratio: float, tokens: int) -> None:
    calibration = Calibration()
    calibration.observe("a", 5 * tokens, tokens)
    for _ in range(60):
        calibration.observe("a", round(ratio * tokens), tokens)
    assert calibration.tokens("a", round(ratio * tokens)) == pytest.approx(tokens, rel=0.01)


@pytest.mark.parametrize("prompt_tokens", [0, 1, 199])
def test_a_tiny_prompt_teaches_nothing(prompt_tokens: int) -> None:
    calibration = Calibration()
    calibration.observe("a", 10**6, prompt_tokens)
    assert calibration.tokens("a", 3_500) == 1_000


def test_the_smallest_prompt_that_teaches() -> None:
    calibration = Calibration()
    calibration.observe("a", 1_000, 200)
    assert calibration.tokens("a", 5_000) == 1_000


@given(st.integers(0, 10**9), st.integers(200, 10**9))
def test_no_reply_makes_the_ratio_absurd(size: int, tokens: int) -> None:
    calibration = Calibration()
    calibration.observe("a", size, tokens)
    assert 1_000 <= calibration.tokens("a", 12_000) <= 12_000
