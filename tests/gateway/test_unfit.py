"""Models that cannot take a call: nobody is asked about one that no decision considers."""

import pytest

from underspend.gateway.unfit import Unfit


def test_a_model_is_asked_about_once_and_only_when_it_is_considered():
    asked = []

    def why_not(call, model):
        asked.append((call, model))
        return "it demands a tool" if model == "a" else None

    unfit = Unfit(why_not, "the call")
    assert not asked
    assert "a" in unfit
    assert "b" not in unfit
    assert unfit["a"] == "it demands a tool"
    assert unfit.get("b") is None
    assert asked == [("the call", "a"), ("the call", "b")]
    with pytest.raises(KeyError):
        unfit["b"]


def test_what_was_found_so_far_can_be_gone_through():
    unfit = Unfit(lambda _, model: model.upper() if model != "c" else None, None)
    assert [*unfit] == []
    assert unfit["a"] == "A"
    assert unfit["b"] == "B"
    assert "c" not in unfit
    assert dict(unfit) == {"a": "A", "b": "B"}
    assert len(unfit) == 2
    assert 3 not in unfit
