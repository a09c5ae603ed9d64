import pytest

from audit.calls_in_a_row import line
from audit.histories import history
from audit.replay.policies import reads
from underspend.audit.replay.traffic import traffic
from underspend.audit.whatif import Replays
from underspend.audit.whatif_successors import dominates, successor_findings, successors
from underspend.pricing.catalogue import catalogue

NOW = 1_795_160_000_000_000
PRICES = catalogue()


def found(*models):
    made = traffic(history(*[line(*reads(9000, 500, model=model), session=model) for model in models]))
    return {each.id: each for each in successor_findings(Replays(made))}


def test_every_model_named_is_on_the_price_list():
    for each in successors():
        for model in (each.model, *each.of):
            listed = PRICES.find(model, provider="anthropic")
            assert listed is not None
            assert listed.id == model
        assert each.source.startswith("https://")


@pytest.mark.parametrize(
    ("newer", "older", "so"),
    [
        ("claude-opus-5-5", "claude-opus-5", True),
        ("claude-opus-5", "claude-opus-5-5", False),
        ("claude-opus-5-5", "claude-opus-5-5", False),
        ("claude-opus-5-5", "claude-sonnet-5", False),
        ("claude-opus-5-5", "no-such-model", False),
    ],
)
def test_dearer_in_no_lane_and_cheaper_in_one(newer, older, so):
    assert dominates(newer, older, PRICES, NOW) is so


def test_a_dominated_model_is_named_with_its_replayed_dollars_and_the_rule_that_replaces_it():
    each = found("claude-opus-4-1-20250805", "claude-opus-5-5")["whatif/successor-claude-opus-5-5"]
    assert each.amount > 0
    assert each.title.startswith("claude-opus-5-5 instead of claude-opus-4-1: $")
    assert '{ model = "claude-opus-4-1-20250805", to = "claude-opus-5-5" }' in each.fix
    assert "https://" in each.why


def test_current_models_have_none():
    assert found("claude-opus-5-5", "claude-sonnet-5-5") == {}
