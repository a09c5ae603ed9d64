from __future__ import annotations

import pytest

from underspend.pricing.capabilities import (
    EFFORTS,
    Capabilities,
    capabilities,
    default_tiers,
    refused_betas,
    thinking_budgets,
    tokens_elsewhere,
)
from underspend.pricing.capabilities import _document as document
from underspend.pricing.catalogue import catalogue
from underspend.promptcache import facts
from underspend.testing.fake_upstream import PriceList

MODELS = [model.id for model in PriceList().models]
LONG = "context-1m-2025-08-07"


def of(model: str) -> Capabilities:
    found = capabilities(model)
    assert found is not None
    return found


@pytest.mark.parametrize("model", MODELS)
def test_every_model_that_is_served_is_described_as_the_fake_provider_has_it(model: str) -> None:
    ours, theirs = of(model), PriceList().find(model)
    assert theirs is not None
    assert ours.max_output == theirs.max_output
    assert ours.context == theirs.context_window
    assert ("enabled" in ours.thinking) == ours.sampling == theirs.legacy_controls
    assert ours.prefill == theirs.prefill
    assert ours.forced_tools == theirs.forced_tool_choice
    assert ours.us_only == theirs.us_geo
    assert ours.binds_thinking == theirs.binds_thinking == facts(ours.id).binds_thinking
    assert ours.effort_default == theirs.default_effort == facts(ours.id).effort
    assert {"disabled", "between_tools"}.isdisjoint(ours.thinking) == (theirs.disable_thinking == "never")
    assert ours.source


def test_the_data_is_dated_and_its_entries_have_sources() -> None:
    assert document()["checked"]
    assert all(document()[name]["source"] for name in ("budgets", "betas", "tokenizer", "tiers"))
    assert all(family["source"] for family in document()["family"])


def test_what_is_not_described_is_unknown() -> None:
    assert capabilities("claude-3-opus") is None
    assert capabilities("gpt-5.6", "openai") is None
    assert capabilities("no-such-model") is None


def test_spellings_of_one_model_are_one() -> None:
    assert capabilities("claude-haiku-4-5-20251001") is capabilities("claude-haiku-4-5-20251001")
    assert of("claude-haiku-4-5-20251001") == of("claude-haiku-4-5")


@pytest.mark.parametrize(
    ("model", "effort", "nearest"),
    [
        ("claude-opus-4-5", "max", "high"),
        ("claude-opus-4-6", "xhigh", "high"),
        ("claude-opus-5-5", "xhigh", "xhigh"),
        ("claude-haiku-4-5", "high", None),
        ("claude-opus-5-5", None, None),
        ("claude-opus-5-5", "silly", None),
    ],
)
def test_an_effort_is_never_raised(model: str, effort: str | None, nearest: str | None) -> None:
    assert of(model).effort_for(effort) == nearest


def test_thinking_can_be_turned_off_only_up_to_some_effort() -> None:
    assert [effort for effort in EFFORTS if of("claude-haiku-5-5").is_quiet_at(effort)] == ["low", "medium", "high"]
    assert of("claude-haiku-5-5").is_quiet_at(None)
    assert of("claude-opus-4-8").is_quiet_at("max")


def test_betas_that_are_refused() -> None:
    assert refused_betas(["effort-2025-11-24", LONG], "claude-haiku-4-5") == (LONG,)
    assert refused_betas([LONG], "claude-opus-5-5") == ()
    assert refused_betas([LONG], "no-such-model") == ()


def test_tokens_of_another_tokenizer_are_never_taken_for_fewer_than_they_may_be() -> None:
    old, new = of("claude-opus-4-5"), of("claude-opus-5-5")
    assert tokens_elsewhere(1_000, old, new) == 1_353
    assert tokens_elsewhere(1_353, new, old) == 1_041
    assert tokens_elsewhere(1_000, new, of("claude-haiku-5-5")) == 1_000
    assert tokens_elsewhere(1_000, new, None) == tokens_elsewhere(1_000, None, old) == 1_000


def test_a_window_is_narrower_only_where_both_are_known() -> None:
    assert of("claude-haiku-4-5").is_narrower(of("claude-opus-5-5"))
    assert not of("claude-haiku-4-5").is_narrower(of("claude-opus-4-5"))
    assert not of("claude-haiku-4-5").is_narrower(None)


def test_the_default_tiers_are_known_models_with_prices() -> None:
    for models in default_tiers().values():
        assert all(of(model) and catalogue().find(model) for model in models)


def test_budgets_grow_with_the_effort() -> None:
    budgets = thinking_budgets()
    assert budgets["least"] <= budgets["low"] < budgets["medium"] < budgets["high"] <= budgets["max"]
