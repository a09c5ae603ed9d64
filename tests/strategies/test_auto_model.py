from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.talks import MINUTE, RICH, block, run, talk
from underspend.core.call import BillingMode, Call, Identity, Role
from underspend.core.context import Context
from underspend.core.conversation import Conversation, Habits, Kept, name_of
from underspend.core.editing import apply
from underspend.core.edits import Edit, ReplaceContent, SetEffort, Warn, changes
from underspend.core.engine import Step
from underspend.core.engine import run as run_engine
from underspend.core.plan import Plan
from underspend.core.slots import Failure, Slot, after
from underspend.core.strategy import State
from underspend.formats.anthropic_blocks import Anatomist
from underspend.formats.anthropic_edits import edited
from underspend.pricing.forecast import Forecast
from underspend.routing.beliefs import Arm, Belief, Certificate, Standing
from underspend.routing.decisions import Mode, Preference, RouteRule, Routing
from underspend.strategies.auto_model import AutoModel
from underspend.testing.fake_upstream.blocks import positions
from underspend.testing.fake_upstream.thinking_binding import enforce, signature

HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"
OLD_HAIKU, OLD_OPUS = "claude-haiku-4-5", "claude-opus-4-5"
NOW = 1_795_132_800_000_000
"""2026-11-20."""

EVERYONE = ("main", "subagent")
AGGRESSIVE = AutoModel(mode=Mode.AGGRESSIVE, route_pinned=EVERYONE)
CERTIFIED = AutoModel(mode=Mode.CERTIFIED, route_pinned=EVERYONE)


@dataclass
class Known:
    """Quality, dollars a task and results by model; which models are certified in place of any other."""

    quality: Mapping[str, float] = field(default_factory=lambda: {HAIKU: 0.9, SONNET: 0.9, OPUS: 0.9})
    cost: Mapping[str, int] = field(default_factory=dict)
    results: float = 0
    certified: tuple[str, ...] = ()
    epsilon: float = 0.05

    def belief(self, task: str, features: tuple[int, ...], arm: Arm) -> Belief:
        quality = self.quality.get(arm.model, 0.9)
        return Belief(quality=quality, quality_low=quality, cost=self.cost.get(arm.model), results=self.results)

    def certificate(self, task: str, features: tuple[int, ...], arm: Arm, instead_of: Arm) -> Certificate:
        standing = Standing.CERTIFIED if arm.model in self.certified else Standing.COLLECTING
        return Certificate(
            task=task,
            arm=arm,
            instead_of=instead_of,
            standing=standing,
            epsilon=self.epsilon,
            delta=0.1,
            results=9,
            regrets=0,
            bound=0.2,
        )


def asked(*results: dict[str, Any], model: str = OPUS, role: Role = Role.MAIN, **more: Any) -> Call:
    """A call in a tool loop; one that begins a turn where no results are given."""
    who = {"role": role, **{name: more.pop(name) for name in ("agent_type", "billing") if name in more}}
    base = {"model": model, "identity": Identity(session="s", **who), "kind": role.value, "effort": "high", "time": NOW}
    return talk(*results, **{**base, **more})


def turn(*results: dict[str, Any], thinks: bool = False, **more: Any) -> Call:
    """A call that begins a turn after so many results."""
    made = asked(*results, thinks=thinks, **more)
    last = made.blocks[-1].message
    said = (block("text", 50, message=last + 1, role="assistant"), block("text", 20, message=last + 2, role="user"))
    blocks = (*(replace(each, breakpoint=None) for each in made.blocks[1:]), *said[:1])
    marked = (made.blocks[0], *blocks, replace(said[1], breakpoint="5m"))
    return replace(made, blocks=marked, prompt_tokens=made.prompt_tokens + 70)


def known(
    about: Known | None = None, *, slot: Slot | None = None, unfit: Mapping[str, str] | None = None, **more: Any
) -> Context:
    """What is known of a conversation; cold and sure to be if nothing else is said."""
    talked = {"idle": 30 * MINUTE, "gaps": (MINUTE,)} if more.get("calls") else {}
    return Context(
        now=0,
        pricing=Forecast(),
        conversation=Conversation(**{**talked, **more}),
        habits=Habits(),
        slot=slot,
        knowing=about or Known(),
        unfit=unfit or {},
    )


def on(model: str, asked_for: str = OPUS, **more: Any) -> Slot:
    return Slot(asked=asked_for, model=model, provider="anthropic", **more)


def routed(router: AutoModel, call: Call, ctx: Context) -> Routing:
    found = router.route(call, ctx)
    assert found is not None
    return found


def model_of(router: AutoModel, call: Call, ctx: Context) -> str:
    """The model it would be sent to."""
    for each in router.decide(call, ctx):
        if changes(each, call):
            call = apply(each, call)
    return call.model


def warns(router: AutoModel, call: Call, ctx: Context) -> list[str]:
    edits: list[Edit] = list(router.decide(call, ctx))
    return [each.why for each in edits if isinstance(each, Warn)]


def test_a_slot_begins_on_the_cheapest_model_that_does_its_work() -> None:
    assert model_of(AGGRESSIVE, asked(), known()) == HAIKU
    poor = Known(quality={HAIKU: 0.6, SONNET: 0.86, OPUS: 0.9})
    trusting = replace(AGGRESSIVE, sees_all=True)
    assert model_of(trusting, asked(), known(poor)) == SONNET
    assert model_of(replace(trusting, preference=Preference.QUALITY), asked(), known(poor)) == OPUS


def test_a_prompt_that_others_may_have_left_warm_is_not_written_again_for_hope() -> None:
    """Reading on Opus costs 0.2 a token, writing on Sonnet 2.5: only who sees all traffic knows that it is cold."""
    poor = Known(quality={HAIKU: 0.1, SONNET: 0.9, OPUS: 0.9})
    assert model_of(AGGRESSIVE, asked(), known(poor)) == OPUS
    assert "pay only if it goes on" in routed(AGGRESSIVE, asked(), known(poor)).reason
    assert model_of(replace(AGGRESSIVE, sees_all=True), asked(), known(poor)) == SONNET


def test_it_stays_where_it_began_through_the_turn_and_the_next() -> None:
    warm = known(slot=on(HAIKU), calls=3, warm_tokens=900, model=HAIKU)
    assert model_of(AGGRESSIVE, asked(run()), warm) == HAIKU
    assert model_of(AGGRESSIVE, turn(run()), warm) == HAIKU
    assert routed(AGGRESSIVE, asked(run()), warm).reason == "a turn keeps its model"
    assert not routed(AGGRESSIVE, turn(run()), warm).changes


def test_nothing_changes_within_a_turn_even_where_it_is_cold() -> None:
    cold = known(calls=3, model=OPUS, slot=on(OPUS))
    assert model_of(AGGRESSIVE, asked(run()), cold) == OPUS
    assert model_of(AGGRESSIVE, turn(run()), cold) == HAIKU


def test_a_warm_slot_changes_only_where_the_calls_ahead_pay_and_can_be_borne() -> None:
    """Sonnet must write 100,000 tokens at 2.5 that Opus reads at 0.2, to read them at 0.1 from then on."""
    poor = Known(quality={HAIKU: 0.1, SONNET: 0.9, OPUS: 0.9})
    long = turn(run(tokens=100_000))
    warm = {"warm_tokens": 100_000, "model": OPUS, "idle": MINUTE, "slot": on(OPUS)}
    assert [model_of(AGGRESSIVE, long, known(poor, calls=calls, **warm, **RICH)) for calls in (5, 50)] == [OPUS, SONNET]
    assert model_of(AGGRESSIVE, long, known(poor, calls=50, **warm)) == OPUS


@pytest.mark.parametrize(
    "more",
    [
        {"role": Role.SIDE},
        {"endpoint": "count_tokens"},
        {"billing": BillingMode.OAUTH},
        {"model": "no-such-model"},
    ],
)
def test_what_is_never_routed(more: dict[str, Any]) -> None:
    rules = replace(AGGRESSIVE, rules=(RouteRule(to="cheap"),))
    assert rules.route(asked(**more), known()) is None
    assert list(rules.decide(asked(**more), known())) == []


def test_a_pinned_model_stays_unless_it_is_opened() -> None:
    closed = AutoModel(mode=Mode.AGGRESSIVE)
    agent = asked(role=Role.SUBAGENT, agent_type="Explore")
    assert closed.route(asked(), known()) is None
    assert model_of(replace(closed, route_pinned=("subagent",)), asked(), known()) == OPUS
    assert model_of(replace(closed, route_pinned=("subagent",)), agent, known()) == HAIKU
    assert model_of(replace(closed, route_pinned=("Explore",)), agent, known()) == HAIKU
    assert model_of(replace(closed, rules=(RouteRule(to="cheap", roles=(Role.MAIN,)),)), asked(), known()) == HAIKU


@pytest.mark.parametrize(("preference", "model"), [("cheapest", HAIKU), ("balanced", SONNET), ("quality", OPUS)])
@pytest.mark.parametrize("mode", list(Mode))
def test_a_model_left_to_us_is_always_given(mode: Mode, preference: str, model: str) -> None:
    """Also cold, without anything known, for counts and in modes that change nothing."""
    router = AutoModel(mode=mode)
    call = asked(model="auto", preference=preference)
    for ctx in (known(), Context(now=0, pricing=Forecast())):
        assert model_of(router, replace(call, endpoint="count_tokens"), ctx) == model
        if mode in {Mode.OBSERVE, Mode.ADVISE} or ctx.knowing is None:
            assert model_of(router, call, ctx) == model
        assert model_of(router, call, ctx) != "auto"
    own = replace(router, tiers={"cheap": (OLD_HAIKU,), "standard": (OLD_HAIKU,), "best": (OLD_HAIKU,)})
    assert model_of(own, call, known()) == OLD_HAIKU


def test_a_model_left_to_us_goes_to_another_where_its_own_cannot_take_it() -> None:
    call = asked(model="auto", preference="cheapest")
    assert model_of(AutoModel(), call, known(unfit={HAIKU: "refused it before"})) == SONNET


def test_observing_says_once_what_it_would_have_done() -> None:
    for mode, words in ((Mode.OBSERVE, "would have gone to"), (Mode.ADVISE, "could go to")):
        router = AutoModel(mode=mode)
        (said,) = warns(router, asked(), known())
        assert words in said
        assert HAIKU in said
        assert "$" in said
        assert model_of(router, asked(), known()) == OPUS
        assert warns(router, turn(run()), known(calls=3, warm_tokens=900, model=OPUS)) == []
        assert warns(router, asked(run()), known(calls=3, model=OPUS)) == []
        assert len(warns(router, turn(run()), known(calls=3, model=OPUS))) == 1
        assert warns(router, asked(model=HAIKU), known()) == []
        (ruled,) = warns(replace(router, rules=(RouteRule(to=SONNET),)), asked(), known())
        assert SONNET in ruled


def test_certified_routes_by_certificates_alone() -> None:
    paper = Known(quality={HAIKU: 0.1, SONNET: 0.9, OPUS: 0.9}, certified=(HAIKU,))
    assert model_of(CERTIFIED, asked(), known(paper)) == HAIKU
    assert model_of(CERTIFIED, asked(), known(replace(paper, certified=()))) == OPUS
    assert model_of(replace(CERTIFIED, epsilon_percent=1), asked(), known(paper)) == OPUS
    (haiku,) = [each for each in routed(CERTIFIED, asked(), known()).candidates if each.arm.model == HAIKU]
    assert haiku.why_not == "collecting"


def test_what_was_measured_counts_for_more_than_the_price_list() -> None:
    """A list price of a fortieth is no use where the work has cost as much as on the dear model."""
    dear = Known(cost={HAIKU: 101, SONNET: 60, OPUS: 100}, results=50)
    trusting = replace(AGGRESSIVE, sees_all=True)
    assert model_of(trusting, asked(), known(dear)) == SONNET
    assert model_of(trusting, asked(), known(replace(dear, cost={HAIKU: 10, SONNET: 60, OPUS: 100}))) == HAIKU
    few = replace(dear, cost={HAIKU: 101, SONNET: 1, OPUS: 100}, results=3)
    assert model_of(trusting, asked(), known(few)) == SONNET
    (sonnet,) = [each for each in routed(trusting, asked(), known(few)).candidates if each.arm.model == SONNET]
    assert sonnet.cost is not None
    assert sonnet.cost * 4 > next(each.cost or 0 for each in routed(trusting, asked(), known(few)).candidates)


def test_without_knowledge_nothing_is_left() -> None:
    assert model_of(AGGRESSIVE, asked(), replace(known(), knowing=None)) == OPUS
    reasons = {each.why_not for each in routed(AGGRESSIVE, asked(), replace(known(), knowing=None)).candidates[1:]}
    assert reasons == {"nothing is known of it"}


def test_rules_and_tasks_name_tiers_models_and_efforts() -> None:
    trusting = AutoModel(mode=Mode.AGGRESSIVE, rules=(RouteRule(to=f"{SONNET}@low", tasks=("title",)),))
    edits = list(trusting.decide(asked(task="title"), known()))
    assert next(each for each in edits if isinstance(each, SetEffort)).effort == "low"
    assert model_of(trusting, asked(task="title"), known()) == SONNET
    table = replace(AGGRESSIVE, tasks={"title": "cheap", "plan": "best"})
    assert model_of(table, asked(task="title", model=SONNET), known()) == HAIKU
    assert model_of(table, asked(task="plan", model=SONNET), known()) == OPUS
    assert model_of(table, asked(task="plan/long", model=SONNET), known()) == OPUS


def test_a_rule_waits_for_a_free_moment_or_one_that_pays() -> None:
    rules = AutoModel(mode=Mode.AGGRESSIVE, rules=(RouteRule(to="cheap"),))
    long = turn(run(tokens=90_000))
    warm = {"calls": 1, "warm_tokens": 90_000, "model": OPUS, "idle": MINUTE, "slot": on(OPUS)}
    assert model_of(replace(rules, rules=(RouteRule(to="standard"),)), long, known(**warm)) == OPUS
    assert model_of(rules, long, known(**{**warm, "warm_tokens": 0, "idle": 30 * MINUTE})) == HAIKU
    assert model_of(rules, long, known(**{**warm, "calls": 9}, **RICH)) == HAIKU
    assert model_of(rules, long, known(unfit={HAIKU: "no"})) == OPUS


def test_a_slot_that_no_rule_fits_any_more_stays_where_it_is() -> None:
    rules = AutoModel(mode=Mode.AGGRESSIVE, rules=(RouteRule(to="cheap", prompt_upto=500),))
    warm = known(slot=on(HAIKU), calls=3, warm_tokens=900, model=HAIKU, idle=MINUTE)
    assert model_of(rules, asked(run()), warm) == HAIKU
    assert model_of(rules, turn(run()), warm) == HAIKU
    assert model_of(replace(rules, mode=Mode.OBSERVE), turn(run()), warm) == HAIKU


FAILED = Failure("a test failed after an edit", at=5)
SURE = replace(FAILED, certain=True)


def test_a_failure_sends_the_slot_one_tier_up_when_it_is_free_or_certain() -> None:
    warm = {"calls": 3, "warm_tokens": 900, "model": HAIKU, "idle": MINUTE}
    cold = {"calls": 3, "model": HAIKU}
    failed, sure = on(HAIKU, failures=(FAILED,)), on(HAIKU, failures=(FAILED, SURE))
    assert model_of(AGGRESSIVE, turn(run()), known(slot=failed, **warm)) == HAIKU
    assert model_of(AGGRESSIVE, turn(run()), known(slot=failed, **cold)) == SONNET
    assert model_of(AGGRESSIVE, turn(run()), known(slot=sure, **warm)) == SONNET
    assert model_of(AGGRESSIVE, asked(run()), known(slot=sure, **warm)) == HAIKU
    found = routed(AGGRESSIVE, turn(run()), known(slot=sure, **warm))
    assert found.escalates
    assert "a test failed" in found.reason


def test_it_goes_no_higher_than_what_was_asked_for_nor_more_often_than_allowed() -> None:
    cold = {"calls": 3, "model": HAIKU}
    assert (
        model_of(AGGRESSIVE, turn(run(), model=SONNET), known(slot=on(HAIKU, SONNET, failures=(SURE,)), **cold))
        == SONNET
    )
    often = on(HAIKU, failures=(SURE,), escalations=2)
    assert model_of(AGGRESSIVE, turn(run()), known(slot=often, **cold)) == HAIKU
    at_home = on(SONNET, SONNET, failures=(SURE,))
    assert not routed(AGGRESSIVE, turn(run(), model=SONNET), known(Known(quality={}), slot=at_home, **cold)).escalates
    auto = turn(run(), model="auto", preference="cheapest")
    assert model_of(AGGRESSIVE, auto, known(slot=on(HAIKU, "auto", failures=(SURE,)), **cold)) == SONNET
    assert model_of(AGGRESSIVE, auto, known(slot=on(OPUS, "auto", failures=(SURE,)), **cold)) == OPUS


def test_after_an_escalation_it_does_not_come_down_again() -> None:
    up = on(SONNET, failures=(FAILED,), changed_at=9, escalations=1)
    cold = known(slot=up, calls=5, model=SONNET)
    assert model_of(AGGRESSIVE, turn(run()), cold) == SONNET
    reasons = {each.arm.model: each.why_not for each in routed(AGGRESSIVE, turn(run()), cold).candidates}
    assert reasons[HAIKU] == "work like it failed there"


def test_thinking_of_the_model_that_is_left_goes_and_stays_away() -> None:
    call = turn(run(), run("b"), thinks=True)
    thoughts = [at for at, each in enumerate(call.blocks) if each.kind == "thinking"]
    edits = list(AGGRESSIVE.decide(call, known(calls=3, model=OPUS, slot=on(OPUS))))
    gone = [each for each in edits if isinstance(each, ReplaceContent)]
    assert [each.at for each in gone] == thoughts
    assert all(each.text == "" and each.tokens == 0 for each in gone)
    kept = {name_of(call.blocks[each.at]): Kept("auto_model", each) for each in gone[:1]}
    later = known(calls=4, model=HAIKU, slot=on(HAIKU), kept=kept, warm_tokens=500, idle=MINUTE)
    again = [each.at for each in AGGRESSIVE.decide(call, later) if isinstance(each, ReplaceContent)]
    assert again == thoughts[:1]
    closed = AutoModel(mode=Mode.OBSERVE)
    assert [
        each.at for each in closed.decide(call, replace(later, slot=None)) if isinstance(each, ReplaceContent)
    ] == again


def test_a_message_of_nothing_but_thinking_keeps_the_slot_where_it_is() -> None:
    call = turn(run())
    alone = (
        *call.blocks[:-1],
        block("thinking", 9, message=98, role="assistant"),
        replace(call.blocks[-1], message=99),
    )
    assert model_of(AGGRESSIVE, replace(call, blocks=alone), known(calls=3, model=OPUS, slot=on(OPUS))) == OPUS


def test_a_client_that_changes_its_model_gets_it_without_the_other_ones_thinking() -> None:
    call = turn(run(), model=SONNET, thinks=True)
    ctx = known(slot=on(HAIKU), calls=3, model=HAIKU, warm_tokens=500, idle=MINUTE)
    edits = list(AGGRESSIVE.decide(call, ctx))
    assert model_of(AGGRESSIVE, call, ctx) == SONNET
    assert any(isinstance(each, ReplaceContent) for each in edits)


def test_a_model_that_cannot_take_the_call_is_left_even_within_a_turn() -> None:
    refused = known(slot=on(HAIKU), calls=3, warm_tokens=500, model=HAIKU, unfit={HAIKU: "refused it before"})
    assert model_of(AGGRESSIVE, asked(run()), refused) == OPUS
    small = known(slot=on(OLD_HAIKU), calls=3, warm_tokens=500, model=OLD_HAIKU)
    assert model_of(AGGRESSIVE, asked(run(tokens=300_000)), small) == OPUS


def test_a_smaller_window_is_for_sub_agents_that_half_fill_it() -> None:
    old = replace(AGGRESSIVE, tiers=dict.fromkeys(("cheap", "standard", "best"), (OLD_HAIKU,)))
    short, long = asked(model="claude-opus-5"), asked(run(tokens=160_000), model="claude-opus-5")
    assert model_of(old, short, known()) == "claude-opus-5"
    agent = replace(short, identity=replace(short.identity, role=Role.SUBAGENT))
    trusting = replace(old, sees_all=True)
    assert model_of(trusting, agent, known()) == OLD_HAIKU
    filled = replace(agent, prompt_tokens=long.prompt_tokens)
    assert model_of(trusting, filled, known()) == "claude-opus-5"
    same = asked(model=OLD_OPUS)
    assert model_of(trusting, same, known()) == OLD_HAIKU


def test_what_begins_like_one_that_went_elsewhere_goes_along() -> None:
    """It would have to write what they share, which the other no longer keeps warm on the model asked for."""
    poor = Known(quality={HAIKU: 0.1, SONNET: 0.8, OPUS: 0.9})
    alone, along = known(poor), replace(known(poor), beside=on(SONNET))
    assert model_of(AGGRESSIVE, asked(), alone) == OPUS
    assert model_of(AGGRESSIVE, asked(), along) == SONNET
    assert model_of(AGGRESSIVE, turn(run()), replace(known(poor, calls=3, slot=on(OPUS)), beside=on(SONNET))) == OPUS
    assert model_of(AGGRESSIVE, asked(), replace(along, unfit={SONNET: "no"})) == OPUS
    assert model_of(AGGRESSIVE, asked(), replace(along, beside=on(OPUS))) == OPUS
    assert model_of(CERTIFIED, asked(), along) == OPUS
    certified = replace(along, knowing=replace(poor, certified=(SONNET,)))
    assert model_of(CERTIFIED, asked(), certified) == SONNET


def test_haiku_is_five_times_dearer_above_its_step() -> None:
    """Below it writes a token for 0.125, above for 0.625: Sonnet's warm reads at 0.1 are left for neither."""
    below, above = (turn(run(tokens=tokens), model=SONNET) for tokens in (60_000, 120_000))
    warm = {"calls": 30, "model": SONNET, "idle": MINUTE, "slot": on(SONNET, SONNET), **RICH}
    assert model_of(AGGRESSIVE, below, known(warm_tokens=60_000, **warm)) == HAIKU
    costs = {
        call.prompt_tokens: next(
            each for each in routed(AGGRESSIVE, call, known(**warm)).candidates if each.arm.model == HAIKU
        ).cost
        for call in (below, above)
    }
    small, large = (costs[call.prompt_tokens] for call in (below, above))
    assert small is not None
    assert large is not None
    assert large > 5 * small


def test_where_nobody_keeps_slots_the_model_of_the_call_before_tells() -> None:
    warm = known(calls=3, warm_tokens=900, model=HAIKU, idle=MINUTE)
    assert model_of(AGGRESSIVE, asked(run()), warm) == HAIKU


def test_settings_are_read_from_tables() -> None:
    said = {
        "mode": "certified",
        "tiers": {"cheap": [HAIKU]},
        "rules": [{"to": "cheap", "roles": ["subagent"]}],
        "tasks": {"title": "cheap"},
        "epsilon_percent": 2,
    }
    made = msgspec.convert(said, AutoModel)
    assert (made.mode, made.rules[0].roles, made.epsilon_percent) == (Mode.CERTIFIED, (Role.SUBAGENT,), 2)
    assert [arm.model for arm in made.arms()] == [HAIKU, SONNET, OPUS]
    for wrong in ({"tiers": {"dear": [OPUS]}}, {"epsilon_percent": 0}, {"delta_percent": 150}, {"mode": "bold"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, AutoModel)


STEPS = st.lists(
    st.tuples(
        st.booleans(),
        st.booleans(),
        st.sampled_from([30, 5_000, 60_000]),
        st.sampled_from([HAIKU, SONNET, OPUS]),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@given(
    steps=STEPS, mode=st.sampled_from([Mode.CERTIFIED, Mode.AGGRESSIVE]), preference=st.sampled_from(list(Preference))
)
def test_one_model_a_turn_whatever_happens(
    steps: list[tuple[bool, bool, int, str, bool]], mode: Mode, preference: Preference
) -> None:
    router = AutoModel(mode=mode, preference=preference, route_pinned=EVERYONE)
    slot: Slot | None = None
    results: list[dict[str, Any]] = []
    for number, (is_turn, is_warm, tokens, good, fails) in enumerate(steps):
        results.append(run(str(number), tokens))
        call = (turn if is_turn else asked)(*results, thinks=True)
        about = Known(quality={HAIKU: 0.1, SONNET: 0.1, OPUS: 0.1, good: 0.9}, certified=(good,))
        ctx = known(about, slot=slot, calls=number, warm_tokens=call.prompt_tokens * is_warm, idle=MINUTE, **RICH)
        sent = call
        for each in router.decide(call, ctx):
            if changes(each, sent):
                sent = apply(each, sent)
        if slot is not None and not is_turn:
            assert sent.model == slot.model
        slot = after(slot, Plan(asked=call, call=sent))
        if fails:
            slot = replace(
                slot, failures=(*slot.failures, Failure("a test failed after an edit", at=number + 1, certain=True))
            )


class Upstream:
    """A provider that binds thinking to its model and the prompt before it, and refuses what does not fit."""

    def __init__(self) -> None:
        self.thoughts = 0

    def reply(self, raw: bytes) -> list[dict[str, Any]]:
        """Thinking and a tool's use; raises ApiError for thinking that is bound elsewhere."""
        body = json.loads(raw)
        found = enforce(positions(body), body, body["model"])
        self.thoughts += 1
        bound = signature(found, body["model"])
        return [
            {"type": "thinking", "thinking": f"hm {self.thoughts}", "signature": bound},
            {"type": "tool_use", "id": f"t{self.thoughts}", "name": "Read", "input": {}},
        ]


def played(router: AutoModel, turns: list[tuple[int, Known, tuple[Failure, ...]]]) -> list[str]:
    """The models of a conversation in which each turn has two calls; each step says the pause and what is known."""
    upstream, anatomist, messages = Upstream(), Anatomist(), [{"role": "user", "content": "look"}]
    slot: Slot | None = None
    kept: dict[bytes, Kept] = {}
    models: list[str] = []
    for pause, about, failures in turns:
        for step in range(2):
            body = {"model": OPUS, "max_tokens": 9_000, "messages": messages, "thinking": {"type": "adaptive"}}
            raw = json.dumps(body).encode()
            parts = anatomist.anatomy(tools=b"[]", system=b"[]", messages=json.dumps(messages).encode())
            call = asked(blocks=parts.blocks, prompt_tokens=9_000)
            slot = slot and replace(slot, failures=failures)
            ctx = known(
                about, slot=slot, calls=len(models), idle=(pause if not step else 1) * MINUTE, kept=kept, **RICH
            )
            plan = run_engine(call, [Step(router, State.ON)], ctx)
            assert not plan.faults
            edits = [each.edit for each in plan.decisions if each.applied]
            content = upstream.reply(edited(raw, edits) if edits else raw)
            for each in edits:
                if isinstance(each, ReplaceContent):
                    kept[name_of(call.blocks[each.at])] = Kept("auto_model", each)
            slot = after(slot, plan)
            models.append(plan.call.model)
            result = {"type": "tool_result", "tool_use_id": content[1]["id"], "content": "x"}
            messages = [*messages, {"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
        done = {"role": "assistant", "content": [{"type": "text", "text": "done"}]}
        messages = [*messages, done, {"role": "user", "content": "and?"}]
    return models


def test_a_provider_that_binds_thinking_takes_every_call_of_a_slot_that_goes_there_and_back() -> None:
    only = {HAIKU: 0.1, SONNET: 0.1, OPUS: 0.9}
    turns = [
        (0, Known(quality=only), ()),
        (30, Known(quality=only | {SONNET: 0.9}), ()),
        (1, Known(quality=only | {SONNET: 0.9}), ()),
        (30, Known(quality=only | {SONNET: 0.9}), (Failure("it failed", at=NOW + 1, certain=True),)),
        (1, Known(quality=only), ()),
    ]
    router = replace(AGGRESSIVE, sees_all=True)
    assert played(router, turns) == [OPUS] * 2 + [SONNET] * 4 + [OPUS] * 4
