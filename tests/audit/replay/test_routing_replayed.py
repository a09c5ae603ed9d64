"""The router in replayed conversations of every pace and size: it keeps to the bound, and a turn to its model."""

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from audit.calls_in_a_row import MINUTE, START, result
from audit.histories import history, line, reply, tool, typed
from audit.replay.policies import cost_of, on
from underspend.audit.replay.outcomes import Outcomes
from underspend.audit.replay.play import play
from underspend.audit.replay.traffic import traffic
from underspend.audit.whatif import Replays, outcome
from underspend.core.money import scale
from underspend.routing.beliefs import Belief, Certificate, Standing
from underspend.routing.decisions import Mode, Preference
from underspend.strategies.auto_model import AutoModel

HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"
MODELS = [HAIKU, SONNET, OPUS, "claude-opus-4-5", "claude-sonnet-4-6", "claude-haiku-4-5"]


@dataclass
class Sure:
    """Knows how good each model is, and nothing of costs."""

    quality: Mapping[str, float]

    def belief(self, task, features, arm):
        quality = self.quality.get(arm.model, 0.9)
        return Belief(quality=quality, quality_low=quality, cost=None, results=0)

    def certificate(self, task, features, arm, instead_of):
        standing = Standing.CERTIFIED if self.quality.get(arm.model, 0.9) >= 0.9 else Standing.COLLECTING
        return Certificate(
            task=task,
            arm=arm,
            instead_of=instead_of,
            standing=standing,
            epsilon=0.05,
            delta=0.1,
            results=99,
            regrets=0,
            bound=0.03,
        )


def conversation(turns, model, *, row=0, agent=None):
    """Turns of (pause in minutes, [(tokens that come in, tokens of the reply, thinking)]), billed by the rules."""
    events, at, held, sent, number, since = [], START + row * 977_000, 12_000, 0, 0, None
    for turn, (pause, calls) in enumerate(turns):
        at += pause * MINUTE
        events.append(typed(at, turn=f"t{turn}"))
        for step, (size, words, thinks) in enumerate(calls):
            if step:
                at += MINUTE // 4
                events.append(result(f"u{row}-{number}", at - 1_000_000, size=size * 3))
            is_warm = since is not None and at - since <= 5 * MINUTE
            # A reply is written to the cache only with the call that repeats it.
            usage = (0, held + size - sent, 0, sent, words) if is_warm else (0, held + size, 0, 0, words)
            number, since, sent, held = number + 1, at, held + size, held + size + words
            more = {"thinking_chars": 40} if thinks else {}
            uses = (tool("Read", "a.py", 40, f"u{row}-{number}"),)
            events.append(
                reply(f"m{row}-{number}", at, usage, model=model, tools=uses, turn=f"t{turn}", text_chars=90, **more)
            )
    return line(*events, session=f"s{row}", agent=agent)


CALLS = st.lists(
    st.tuples(st.sampled_from([50, 900, 20_000]), st.sampled_from([5, 200, 2_000]), st.booleans()),
    min_size=1,
    max_size=5,
)
TURNS = st.lists(st.tuples(st.sampled_from([0, 1, 4, 7, 30]), CALLS), min_size=1, max_size=6)
LEVELS = st.fixed_dictionaries({model: st.sampled_from([0.5, 0.86, 0.9]) for model in (HAIKU, SONNET, OPUS)})


class Seen(Outcomes):
    """Every call as it was sent."""

    def add(self, row, plan, cost):
        self.__dict__.setdefault("plans", []).append((row, plan))
        Outcomes.add(self, row, plan, cost)


def watched(knowing):
    return Seen(knowing=knowing, learn=lambda turn: None)


@given(
    turns=TURNS,
    model=st.sampled_from(MODELS),
    levels=LEVELS,
    mode=st.sampled_from([Mode.CERTIFIED, Mode.AGGRESSIVE]),
    preference=st.sampled_from(list(Preference)),
    agent=st.sampled_from([None, "a1"]),
)
@settings(max_examples=150, deadline=None)
def test_no_conversation_becomes_dearer_than_the_bound_and_no_turn_changes_its_model(
    turns, model, levels, mode, preference, agent
):
    made = traffic(history(conversation(turns, model, agent=agent)))
    seen = watched(Sure(levels))
    router = AutoModel(mode=mode, preference=preference, route_pinned=("main", "subagent"))
    played = play(made, on(router), outcomes=seen)
    assert not any(deeds.faults for deeds in played.deeds.values())
    assert cost_of(made, played) <= made.recorded + scale(made.recorded, 2, 100)
    models = {}
    for _, plan in seen.plans:
        turn = plan.asked.identity.turn
        assert models.setdefault(turn, plan.call.model) == plan.call.model


@given(turns=TURNS, model=st.sampled_from(MODELS), mode=st.sampled_from([Mode.OBSERVE, Mode.ADVISE]))
@settings(max_examples=30, deadline=None)
def test_watching_changes_nothing(turns, model, mode):
    made = traffic(history(conversation(turns, model)))
    played = play(made, on(AutoModel(mode=mode, route_pinned=("main",))), outcomes=watched(Sure({})))
    assert played.costs == [None] * len(made.calls)


def test_thinking_is_left_out_where_the_model_changes_and_stays_out():
    turns = [(0, [(900, 200, True)] * 3), (30, [(900, 200, True)] * 3)]
    made = traffic(history(conversation(turns, OPUS)))
    seen = watched(Sure({HAIKU: 0.5, SONNET: 0.9, OPUS: 0.9}))
    play(made, on(AutoModel(mode=Mode.AGGRESSIVE, route_pinned=("main",))), outcomes=seen)
    before, after = ([plan for _, plan in seen.plans if plan.call.model == model] for model in (OPUS, SONNET))
    assert len(before) == len(after) == 3
    for plan in after:
        thoughts = [block for block in plan.call.blocks if block.kind == "thinking"]
        assert [block.edited for block in thoughts[:3]] == [True] * len(thoughts[:3])
        assert not any(block.edited for block in thoughts[3:])


def test_each_policy_learns_for_itself():
    made = traffic(history(*(conversation([(0, [(900, 200, False)])], OPUS, row=row) for row in range(3))))
    worlds = []

    def fresh():
        worlds.append(watched(Sure({})))
        return worlds[-1]

    replays = Replays(made, outcomes=fresh)
    cheapest = AutoModel(mode=Mode.AGGRESSIVE, preference=Preference.CHEAPEST, route_pinned=("main",))
    found = outcome(replays, on(cheapest), others=False)
    assert found.saved.expected > 0
    assert len(worlds) >= 1
    assert all(len(world.plans) == 3 for world in worlds)
