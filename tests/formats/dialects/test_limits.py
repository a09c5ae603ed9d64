from __future__ import annotations

import pytest

from underspend.formats.dialects.limits import budget_for, effort_for, limits, nearest_effort, openai_efforts


def test_limits_stand_in_data_with_their_date() -> None:
    assert limits("openai")["tool_name"] == 64
    assert limits("anthropic")["max_tokens"] > 0
    assert limits("nobody") == {}


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
def test_an_effort_and_its_budget_stand_for_each_other(effort: str) -> None:
    assert effort_for(budget_for(effort)) == effort


def test_the_least_effort_has_the_least_budget_and_an_unknown_one_a_high_one() -> None:
    assert budget_for("minimal") < budget_for("low")
    assert budget_for("extreme") == budget_for("high")
    assert effort_for(10**9) == "high"


@pytest.mark.parametrize(
    ("effort", "taken", "nearest"),
    [
        ("high", None, "high"),
        ("high", ("low", "high"), "high"),
        ("xhigh", ("low", "high"), "high"),
        ("minimal", ("low", "high"), "low"),
        ("max", ("minimal", "low", "medium"), "medium"),
        ("high", (), None),
        ("their own word", ("low",), "their own word"),
    ],
)
def test_the_nearest_effort_is_a_weaker_one_where_there_is_one(
    effort: str, taken: tuple[str, ...] | None, nearest: str | None
) -> None:
    assert nearest_effort(effort, taken) == nearest


def test_what_openais_models_take_is_data() -> None:
    assert openai_efforts("gpt-5.1") == ("none", "low", "medium", "high")
    assert openai_efforts("gpt-of-tomorrow") is None
