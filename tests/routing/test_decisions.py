from __future__ import annotations

from typing import Any

import pytest

from core.calls import call
from underspend.core.call import BillingMode, Identity, Role
from underspend.routing.beliefs import Arm
from underspend.routing.decisions import (
    TIER_OF,
    TIERS,
    Candidate,
    Mode,
    Preference,
    RouteRule,
    Routing,
    arm_of,
    in_words,
    may_be_routed,
    task_of,
)


@pytest.mark.parametrize(
    ("said", "arm"),
    [
        ("claude-opus-5-5", Arm("claude-opus-5-5")),
        ("claude-opus-5-5@low", Arm("claude-opus-5-5", "low")),
        ("openai:gpt-5.6@high", Arm("gpt-5.6", "high", "openai")),
        ("vertex:claude@20250929", Arm("claude@20250929", None, "vertex")),
    ],
)
def test_an_arm_is_a_model_with_or_without_effort_and_provider(said: str, arm: Arm) -> None:
    assert arm_of(said) == arm


def test_a_task_is_its_class_else_its_kind_else_its_role() -> None:
    who = Identity(role=Role.MAIN)
    assert task_of(call(task="title", kind="main", identity=who)) == "title"
    assert task_of(call(kind="Explore", identity=who)) == "Explore"
    assert task_of(call(identity=who)) == "main"


WHO = Identity(role=Role.SUBAGENT, agent_type="Explore", project="p", key="k", tags=("a", "b"))
CALL = call(model="dear", task="title", identity=WHO, prompt_tokens=100)


@pytest.mark.parametrize(
    ("limits", "fits"),
    [
        ({}, True),
        (
            {"models": ("dear",), "tasks": ("title",), "roles": (Role.SUBAGENT,), "agent_types": ("Explore", "Plan")},
            True,
        ),
        ({"projects": ("p",), "keys": ("k",), "tags": ("b", "c")}, True),
        ({"tasks": ("title", "chat")}, True),
        ({"tasks": ("chat",)}, False),
        ({"models": ("cheap",)}, False),
        ({"tags": ("c",)}, False),
        ({"prompt_above": 99, "prompt_upto": 100}, True),
        ({"prompt_above": 100}, False),
        ({"prompt_upto": 99}, False),
    ],
)
def test_all_that_a_rule_says_must_fit(limits: dict[str, Any], *, fits: bool) -> None:
    assert RouteRule(to="cheap", **limits).fits(CALL) is fits


def test_a_rule_for_a_coarse_class_holds_for_the_finer_ones() -> None:
    finer = call(task="sub-agent/explore")
    assert RouteRule(to="cheap", tasks=("sub-agent",)).fits(finer)
    assert RouteRule(to="cheap", tasks=("sub-agent/explore",)).fits(finer)
    assert not RouteRule(to="cheap", tasks=("sub-agent/plan",)).fits(finer)


def test_an_empty_prompt_fits_a_rule_without_limits() -> None:
    assert RouteRule(to="cheap").fits(call(prompt_tokens=0))


def test_every_preference_has_a_tier() -> None:
    assert {TIER_OF[each] for each in Preference} == set(TIERS)


OPUS, HAIKU = Arm("opus"), Arm("haiku")
FOUND = Routing(task="title", arm=HAIKU, instead_of=OPUS, before=OPUS, reason="it is cheap")


def test_a_decision_says_what_it_leaves() -> None:
    assert FOUND.changes
    assert FOUND.leaves_model
    effort = Routing(task="t", arm=Arm("opus", "low"), instead_of=OPUS, before=OPUS, reason="")
    assert effort.changes
    assert not effort.leaves_model


def test_words_for_the_user_hold_the_figures_where_there_are_any() -> None:
    assert in_words(FOUND, Mode.OBSERVE) == "would have gone to haiku: it is cheap"
    known = (Candidate(arm=HAIKU, cost=10**10), Candidate(arm=OPUS, cost=10**12))
    priced = Routing(task="title", arm=HAIKU, instead_of=OPUS, before=OPUS, reason="it is cheap", candidates=known)
    assert in_words(priced, Mode.ADVISE).startswith("title work could go to haiku (about $0.0100, not $1.00): it is")


@pytest.mark.parametrize(
    ("more", "may"),
    [
        ({}, True),
        ({"endpoint": "count_tokens"}, False),
        ({"identity": Identity(role=Role.SIDE)}, False),
        ({"identity": Identity(billing=BillingMode.OAUTH)}, False),
    ],
)
def test_what_may_be_routed_at_all(more: dict[str, Any], *, may: bool) -> None:
    assert may_be_routed(call(**more)) is may
