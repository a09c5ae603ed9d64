import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.routing.beliefs import Asked
from underspend.routing.classes import classify
from underspend.routing.features import LADDERS, SPACE, describe, feature, features

ASKED = Asked(text="Find 3 hotels in Oslo, and book one.", prompt_chars=900, text_chars=36, tools=2)


@given(st.text(max_size=5_000), st.integers(0, 10**7), st.integers(0, 50))
def test_features_are_distinct_and_bounded(text, size, tools):
    found = features(Asked(text=text, prompt_chars=size, text_chars=len(text), tools=tools))
    assert len(found) == len(set(found)) <= 800
    assert all(0 <= one < SPACE for one in found)


def test_both_at_once_are_the_same_as_each():
    assert describe(ASKED) == (classify(ASKED), features(ASKED))


def test_case_and_layout_change_no_feature():
    shouted = Asked(text=ASKED.text.upper().replace(" ", "\n"), prompt_chars=900, text_chars=36, tools=2)
    assert features(shouted) == features(ASKED)


def test_words_are_odd_and_steps_are_even():
    assert feature("text from 30", word=False) in features(ASKED)
    assert not feature("text from 30", word=False) & 1
    assert [one for one in features(Asked(text="")) if one & 1] == []
    assert [one for one in features(Asked(text="word")) if one & 1] != []


def test_a_larger_number_passes_the_steps_of_a_smaller_one():
    few, many = (set(features(Asked(text="", tools=tools))) for tools in (2, 9))
    assert few < many


def test_features_are_the_same_in_every_process():
    code = "from underspend.routing.features import features; from underspend.routing.beliefs import Asked\n"
    code += f"print(features(Asked(text={ASKED.text!r}, prompt_chars=900, text_chars=36, tools=2)))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert said == {f"{features(ASKED)}\n"}


def test_only_the_ends_of_a_long_text_have_words():
    text = " ".join(f"w{'abcdefghij'[number % 10]}{'xyz' * (number // 10 % 3)}q" for number in range(300))
    assert len([one for one in features(Asked(text=text)) if one & 1]) <= 440


@pytest.mark.parametrize("said", ["n is at most 10^9", "n is at most 10 ^ {9}", "n is at most 10**9"])
def test_a_bound_in_powers_of_ten_is_a_feature(said):
    small, large = (set(features(Asked(text=text))) for text in ("n is at most 10^4", said))
    bound = feature("greatest power from 9", word=False)
    assert bound in large
    assert bound not in small


def test_ladders_are_of_steps():
    assert all(step < SPACE and not step % 2 for ladder in LADDERS for step in ladder)
