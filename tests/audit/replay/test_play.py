"""The quick replay against a plain one: the engine's own way of making edits again, prompts built anew each time."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.calls_in_a_row import MINUTE, START, line, loop, mark, reply, result, tool, typed
from audit.histories import history
from audit.replay.policies import (
    Broken,
    Cap,
    Forget,
    Lifetime,
    Model,
    Nothing,
    Prune,
    Trim,
    cost_of,
    on,
    reads,
    steady,
)
from underspend.audit.replay.edited import left_of
from underspend.audit.replay.money import would_cost
from underspend.audit.replay.play import between, play
from underspend.audit.replay.traffic import settings_of, traffic
from underspend.core.context import Context
from underspend.core.conversation import Conversation, Kept, name_of
from underspend.core.edits import ReplaceContent, ShortenContent
from underspend.core.engine import run
from underspend.core.usage import Usage
from underspend.pricing.catalogue import catalogue
from underspend.pricing.forecast import Forecast
from underspend.promptcache import Cache, Split, build, piece_of

SONNET, OPUS = "claude-sonnet-4-5", "claude-opus-4-5"


def test_without_edits_the_bill_is_the_recorded_one():
    made = steady((3, 11_800, 0, 5000, 50))
    for policy in (on(), on(Nothing())):
        played = play(made, policy)
        assert played.costs == [None] * 5
        assert cost_of(made, played) == made.recorded


def test_an_hour_costs_its_premium_where_nobody_pauses():
    made = steady()
    played = play(made, on(Lifetime()))
    written = sum(asked.recorded.step.usage.cache_write_5m for asked in made.calls)
    rates = catalogue().rates("claude-opus-5-5", START)
    assert cost_of(made, played) - made.recorded == written * (rates.cache_write_1h - rates.cache_write_5m)


def test_an_hour_outlives_a_pause():
    made = traffic(history(line(*loop((0, 90_000, 0, 0, 9), (0, 90_100, 0, 0, 9), gap=9 * MINUTE))))
    played = play(made, on(Lifetime()))
    assert cost_of(made, played) < made.recorded
    assert played.costs[1].gained > 0


def test_what_the_record_missed_is_missed_in_every_world():
    made = steady((3, 16_800, 0, 0, 50))
    played = play(made, on(Trim(tokens=1)))
    last = made.calls[-1]
    assert last.at_most == -1
    assert played.costs[-1].expected < last.paid.total


def test_trimming_at_first_entry_spares_the_write_and_every_later_read():
    made = traffic(history(line(*reads(3000, 100, 100))))
    rates = catalogue().rates("claude-opus-5-5", START)
    played = play(made, on(Trim(tokens=1000)))
    assert made.recorded - cost_of(made, played) == 2000 * (rates.cache_write_5m + 2 * rates.cache_read)
    deeds = played.deeds["trim"]
    assert (deeds.edits, deeds.calls, deeds.repeated, deeds.rewrites) == (1, 1, 2, 0)
    assert deeds.alters_meaning
    spared = made.calls[1].paid.total - played.costs[1].expected
    assert played.costs[1].high - played.costs[1].expected == spared // 10


def test_pruning_a_warm_prompt_is_charged_what_has_to_be_written_again():
    made = traffic(history(line(*reads(1000, *[2000] * 6))))
    warm, cold = play(made, on(Prune())), play(made, on(Prune(cold_only=True)))
    assert warm.deeds["prune"].rewrites > 0
    assert (cold.deeds["prune"].edits, cold.costs) == (0, [None] * 8)


def test_pruning_a_cold_prompt_is_free():
    after = [typed(START + 99 * MINUTE), reply("z", START + 100 * MINUTE, (0, 25_200, 0, 0, 9))]
    made = traffic(history(line(*reads(5000, 5000, 5000), *after)))
    played = play(made, on(Prune(cold_only=True)))
    assert played.deeds["prune"].edits > 0
    assert played.deeds["prune"].rewrites == 0
    assert cost_of(made, played) < made.recorded


def test_another_model_from_the_first_call_on():
    made = traffic(history(line(*reads(1000, 2000, model=OPUS))))
    played = play(made, on(Model(to=SONNET)))
    assert all(cost.low <= cost.expected <= cost.high for cost in played.costs)
    assert all(cost.high > cost.expected for cost in played.costs)
    opus, sonnet = catalogue().rates(OPUS, START), catalogue().rates(SONNET, START)
    ratio = sonnet.input / opus.input
    assert cost_of(made, played) == pytest.approx(made.recorded * ratio, rel=0.01)


def test_a_model_that_was_warm_elsewhere_is_cold_on_the_other_model():
    made = traffic(history(line(typed(START), reply("a", START, (0, 1000, 0, 90_000, 5), model=OPUS))))
    played = play(made, on(Model(to=SONNET)))
    assert played.costs[0].expected > made.recorded


def test_a_limit_that_cuts_is_paid_twice_and_one_that_does_not_costs_nothing():
    made = steady()
    assert cost_of(made, play(made, on(Cap(tokens=1000)))) == made.recorded
    assert cost_of(made, play(made, on(Cap(tokens=10)))) > made.recorded


def test_dropped_messages_are_not_paid_for():
    made = traffic(history(line(*reads(1000, 60_000, 100, 100))))
    played = play(made, on(Forget(above=50_000)))
    assert played.deeds["forget"].edits > 0
    assert cost_of(made, played) != made.recorded


def test_a_strategy_that_fails_is_noted_and_changes_nothing():
    made = steady()
    played = play(made, on(Broken()))
    assert cost_of(made, played) == made.recorded
    assert played.deeds["broken"].faults == {"RuntimeError: boom": 4}


def test_it_says_how_far_it_is():
    heard = []
    play(steady(), on(), lambda done, of: heard.append((done, of)))
    assert heard == [(0, 4)]


def test_what_both_worlds_share_falls_out():
    recorded = Usage(3, 700, 0, 16_000, 50)
    assert (
        between(
            recorded, Split(cache_read=16_003, cache_write_5m=700), Split(cache_read=16_003, cache_write_5m=700), 16_703
        )
        == recorded
    )
    moved = between(recorded, Split(cache_read=16_003, cache_write_5m=700), Split(input=16_703), 16_703)
    assert moved == Usage(16_703, 0, 0, 0, 50)


def _weighed(block, was, mine):
    kept = mine.get(name_of(was))
    return block if kept is None else replace(block, tokens=left_of(was, kept.edit))


def plainly(made, steps):
    """The split of every call, the slow way."""
    cache, kept, pricing = Cache(), {}, Forecast()
    splits = []
    for asked in made.calls:
        recorded = asked.recorded
        mine = kept.setdefault(recorded.row, {})
        ctx = Context(now=recorded.call.time, pricing=pricing, conversation=Conversation(kept=dict(mine)))
        plan = run(recorded.call, steps, ctx)
        fresh = len(plan.call.blocks)
        for decision in plan.decisions:
            if isinstance(decision.edit, ReplaceContent | ShortenContent):
                mine[name_of(recorded.base[decision.edit.at])] = Kept(decision.strategy, decision.edit)
                fresh = fresh if decision.again else min(fresh, decision.edit.at)
        key, minimum = settings_of(plan.call.model, plan.call.effort, plan.call.speed, made.prices)
        blocks = [_weighed(block, was, mine) for block, was in zip(plan.call.blocks, recorded.base, strict=True)]
        prompt = build([piece_of(block) for block in blocks], key, minimum=minimum)
        split = cache.admit(prompt, recorded.step.start, at_least=min(asked.at_least, fresh - 1), at_most=asked.at_most)
        cache.began(split, asked.visible)
        splits.append(split)
    return splits


sizes = st.lists(
    st.tuples(st.integers(0, 6000), st.sampled_from([1, 4, 7, 70]), st.sampled_from("rrrrmtc")), max_size=9
)


def talks(rows):
    lines = []
    for number, row in enumerate(rows):
        at, events, held = START + number, [typed(START)], 0
        for index, (size, pause, what) in enumerate(row):
            at += pause * MINUTE
            if what == "r":
                events.append(result(f"{number}-{index - 1}", at - 9, size=size * 3))
            elif what == "t":
                events.append(typed(at - 9))
            elif what == "c":
                events.append(mark("compaction", at - 9))
                held = min(held, 900)
            read = 0 if what == "m" else held
            name, use = f"m{number}-{index}", tool("Read", f"f{index % 3}", 30, f"{number}-{index}")
            events.append(reply(name, at, (2, held - read + size + 800, 0, read, 30), tools=(use,)))
            held += size + 800
        lines.append(line(*events, session=f"s{number}"))
    return history(*lines)


@given(
    st.lists(sizes, max_size=3), st.sampled_from([(Trim(),), (Prune(),), (Trim(), Prune()), (Lifetime(), Trim()), ()])
)
@settings(max_examples=150, deadline=None)
def test_the_quick_replay_is_the_plain_one(rows, strategies):
    made = traffic(talks(rows))
    steps = on(*strategies)
    played = play(made, steps)
    for asked, cost, split in zip(made.calls, played.costs, plainly(made, steps), strict=True):
        step = asked.recorded.step
        usage = between(step.usage, asked.expected, split, split.prompt)
        assert usage.prompt == split.prompt
        expected = step.usage if split == asked.expected else usage
        found = asked.paid.total if cost is None else cost.expected
        assert found == would_cost(step, asked.paid, expected, made.prices)
    assert cost_of(made, play(made, on(Nothing()))) == made.recorded
    assert played == play(made, steps)
