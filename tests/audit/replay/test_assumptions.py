import pytest

from underspend.audit.replay.assumptions import (
    SAME,
    Ratio,
    assumptions,
    content_left_out,
    output_at_another_effort,
    scaled,
    tokenizer,
    work_of_another_model,
)
from underspend.core.usage import Usage
from underspend.pricing.catalogue import catalogue


def model(name):
    return catalogue().find(name)


def test_every_assumption_says_what_it_is_and_whether_it_has_a_source():
    found = {each.name: each for each in assumptions()}
    assert set(found) == {"tokenizer", "model_work", "effort_output", "content", "content_tokens", "max_output"}
    assert all(each.text for each in found.values())
    assert found["tokenizer"].source
    assert not found["effort_output"].source


def test_where_there_is_no_source_nothing_is_expected_to_change():
    assert output_at_another_effort() == SAME
    assert work_of_another_model().expected == content_left_out().expected == 1000


def test_newer_tokenizers_make_more_of_the_same_text():
    old, new = model("claude-opus-4-5"), model("claude-opus-5-5")
    up, down = tokenizer(old, new), tokenizer(new, old)
    assert up.expected == 1300
    assert up.low <= up.expected <= up.high
    assert down.low <= down.expected <= down.high < 1000
    assert tokenizer(old, old) == tokenizer(new, new) == SAME
    assert tokenizer(None, old) == SAME


@pytest.mark.parametrize(
    ("prompt", "output", "expected"), [(1000, 1000, (3, 5, 7, 9, 11)), (2000, 500, (6, 10, 14, 18, 6))]
)
def test_tokens_are_scaled_lane_by_lane(prompt, output, expected):
    assert scaled(Usage(3, 5, 7, 9, 11), prompt, output) == Usage(*expected)


def test_ranges_multiply():
    assert Ratio(500, 1000, 2000) * Ratio(1000, 1300, 1500) == Ratio(500, 1300, 3000)
