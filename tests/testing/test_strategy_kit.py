"""The invariants of all strategies over conversations made up and real: bodies stay valid, prefixes stable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from testing.conversations import Bodies, bundled, conversations, found_beside
from underspend.core.call import Role
from underspend.core.conversation import Habits
from underspend.core.edits import ReplaceContent, ShortenContent
from underspend.core.engine import Step
from underspend.core.strategy import State, Strategy
from underspend.formats.anthropic_validity import altered_thinking, violations
from underspend.pricing.capabilities import capabilities
from underspend.promptcache import facts
from underspend.routing.decisions import Mode, RouteRule
from underspend.strategies import BUILTIN
from underspend.strategies.auto_model import AutoModel
from underspend.strategies.cache_breakpoints import CacheBreakpoints
from underspend.strategies.cache_ttl import CacheTtl
from underspend.strategies.cap_output import CapOutput
from underspend.strategies.cold_prune import ColdPrune
from underspend.strategies.dedupe_reads import DedupeReads
from underspend.strategies.drop_stale_results import DropStaleResults
from underspend.strategies.model_choice import Choice, ModelChoice
from underspend.strategies.stay_below_tier import StayBelowTier
from underspend.strategies.thinking_effort import ThinkingEffort
from underspend.strategies.trim_history import TrimHistory
from underspend.strategies.trim_results import TrimResults
from underspend.testing.strategy_kit import Rehearsal, Rehearsed

EAGER: list[Strategy] = [
    ModelChoice(choices=(Choice(to="claude-haiku-4-5-20251001"),)),
    AutoModel(mode=Mode.AGGRESSIVE, rules=(RouteRule(to="claude-haiku-4-5-20251001"),)),
    ThinkingEffort(samples=1, short_reply=10_000, roles=(Role.MAIN,)),
    CapOutput(samples=1),
    DedupeReads(min_tokens=50),
    TrimResults(most_tokens=400, head=800, tail=200),
    DropStaleResults(min_tokens=30, keep_calls=1),
    ColdPrune(keep_calls=1, min_tokens=100, head=150, tail=50, when_warm=True),
    StayBelowTier(keep_calls=0),
    TrimHistory(budget_tokens=4_000, roles=(Role.MAIN,)),
    CacheBreakpoints(),
    CacheTtl(),
]
"""Every strategy that edits, set so that it acts on small conversations."""

HABITS = Habits(outputs={"main": [100] * 60})


def test_every_strategy_that_edits_is_rehearsed() -> None:
    rehearsed = {type(strategy).name for strategy in EAGER}
    assert {kind.name for kind in BUILTIN} - rehearsed == {"model_rules"}


def rehearse(bodies: Bodies, *strategies: Strategy, **more: Any) -> list[Rehearsed]:
    steps = [Step(strategy, State.ON) for strategy in strategies]
    return list(Rehearsal(steps, habits=HABITS, **more).play(bodies))


def check(played: list[Rehearsed]) -> None:
    before: Rehearsed | None = None
    for call in played:
        asked, sent = json.loads(call.asked), json.loads(call.sent)
        assert len(violations(sent)) <= len(violations(asked))
        assert altered_thinking(asked, sent) == []
        check_blocks(call)
        if before is not None and not call.rewrites and is_longer(before, call):
            digests = [block.digest for block in before.blocks]
            assert [block.digest for block in call.blocks][: len(digests)] == digests
            assert call.plan.call.model == before.plan.call.model
            assert call.plan.call.effort == before.plan.call.effort
        before = call


def is_longer(before: Rehearsed, call: Rehearsed) -> bool:
    """Whether the client itself only added to what it sent before."""
    was, now = before.plan.asked, call.plan.asked
    asked = [block.digest for block in was.blocks]
    is_same = (was.model, was.effort) == (now.model, now.effort)
    return is_same and [block.digest for block in now.blocks][: len(asked)] == asked


def check_blocks(call: Rehearsed) -> None:
    """What the bytes say after the edits is what the plan says."""
    planned, asked, sent = call.plan.call.blocks, call.plan.asked.model, call.plan.call.model
    known = capabilities(sent) if asked != sent else None
    is_user_instead = known is not None and not known.system_messages
    roles = [("user" if is_user_instead and block.role == "system" else block.role) for block in planned]
    assert [(block.kind, block.ref, block.breakpoint, block.role) for block in call.blocks] == [
        (block.kind, block.ref, block.breakpoint, role) for block, role in zip(planned, roles, strict=True)
    ]
    for block, plan in zip(call.blocks, planned, strict=True):
        assert (block.digest == plan.digest) or plan.edited or is_user_instead
    thinking = [at for at, block in enumerate(call.plan.asked.blocks) if block.kind == "thinking"]
    if thinking and facts(call.plan.call.model).binds_thinking:
        edits = [each for each in call.plan.decisions if not each.again]
        contents = [each.edit.at for each in edits if isinstance(each.edit, ReplaceContent | ShortenContent)]
        assert all(at > thinking[-1] for at in contents)


SLOWLY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("strategy", EAGER, ids=lambda strategy: type(strategy).name)
@given(bodies=conversations())
@SLOWLY
def test_a_strategy_keeps_bodies_valid_and_prefixes_stable(strategy: Strategy, bodies: Bodies) -> None:
    check(rehearse(bodies, strategy))


@given(bodies=conversations())
@SLOWLY
def test_all_strategies_together_do(bodies: Bodies) -> None:
    check(rehearse(bodies, *EAGER))


@given(bodies=conversations())
@SLOWLY
def test_no_conversation_comes_to_cost_much_more_by_its_lifetimes(bodies: Bodies) -> None:
    """The strategy's own bound is 2 % of what was paid; what a call that crowds the lookback adds comes on top."""
    played = rehearse(bodies, CacheTtl())
    paid, without = sum(call.paid for call in played), sum(call.without_us for call in played)
    assert (paid - without) * 33 <= paid


@pytest.mark.parametrize("number", range(len(list(bundled(1)))))
def test_bundled_conversations(number: int) -> None:
    bodies = list(bundled(40))[number]
    for strategies in [[CacheBreakpoints(), CacheTtl()], EAGER]:
        check(rehearse(bodies, *strategies))


def test_conversations_of_newer_clients() -> None:
    found = list(found_beside())
    if not found:
        pytest.skip("no recorded requests beside the repository")
    for bodies in found:
        for strategies in [[CacheBreakpoints(), CacheTtl()], EAGER]:
            check(rehearse(bodies, *strategies))


def test_nothing_known_nothing_done() -> None:
    bodies = [(0, json.dumps({"model": "m", "max_tokens": 5, "messages": []}).encode())]
    steps = [Step(strategy, State.ON) for strategy in EAGER]
    (only,) = Rehearsal(steps).play(bodies)
    assert only.sent == bodies[0][1]
    assert not only.plan.decisions


def without_breakpoints(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_breakpoints(part) for key, part in value.items() if key != "cache_control"}
    return [without_breakpoints(part) for part in value] if isinstance(value, list) else value


def test_a_client_that_caches_nothing_pays_half_or_less() -> None:
    for bodies in bundled(12):
        bare = [(at, json.dumps(without_breakpoints(json.loads(raw))).encode()) for at, raw in bodies]
        played = rehearse(bare, CacheBreakpoints(), role=Role.UNKNOWN)
        check(played)
        if len(played) >= 8:
            assert sum(call.paid for call in played) * 2 <= sum(call.without_us for call in played)
