import pytest

from underspend.promptcache import facts, settings_of
from underspend.testing.fake_upstream import PriceList


@pytest.mark.parametrize("model", PriceList().models, ids=lambda model: model.id)
def test_the_fake_provider_says_the_same_of_every_model(model):
    known = facts(model.id)
    assert known.effort == model.default_effort
    assert known.thinking == model.default_thinking
    assert known.strips_thinking == model.strips_thinking
    assert known.ignores_speed == model.ignores_speed
    assert known.binds_thinking == model.binds_thinking


def test_an_unknown_model_has_the_commonest_facts():
    assert facts("claude-unheard-of").effort == "high"
    assert facts("claude-unheard-of").binds_thinking


def test_what_a_call_leaves_out_is_the_models_default():
    assert settings_of("claude-opus-5-5", None, None) == settings_of(
        "claude-opus-5-5", facts("claude-opus-5-5").effort, "standard"
    )
    assert settings_of("claude-opus-5-5", "low", "fast") != settings_of("claude-opus-5-5", "low", None)
