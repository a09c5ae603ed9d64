from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisors.scenes import around, histories, history, line, mark, reply, result, typed, use
from underspend.advisors.reading.carried import Stretch, stretches
from underspend.advisors.reading.steps import steps
from underspend.core.history import Event, History, MarkKind, Timeline
from underspend.core.usage import Lane


def read(*events: Event) -> list[Stretch]:
    told = history(line(*events))
    return stretches(steps(told.timelines[0], around(told).bills))


def spans(stretch: Stretch) -> list[tuple[str, int, int, int, int]]:
    return [(each.result.use_id, each.start, each.tokens, each.entered, each.left) for each in stretch.results]


def test_a_result_is_paid_on_entry_and_with_every_later_call() -> None:
    (stretch,) = read(
        reply("a", 1, w5=10_000, tools=(use("u"),)),
        result("u", 3_500),
        reply("b", 2, read=10_000, w5=2_000),
        reply("c", 3, read=12_000, w5=500),
        reply("d", 4, read=12_500, w5=500),
    )
    # 3,500 characters are 1,000 tokens; they stand at the end of the prompt they entered with.
    assert spans(stretch) == [("u", 11_000, 1_000, 1, 4)]
    assert stretch.cost(stretch.results[0]) == 1_000 * 125 + 2 * 1_000 * 10
    assert stretch.results[0].use == use("u")
    beyond = [(step.reply.message_id, part.amount) for step, part in stretch.charges(stretch.results[0], 400)]
    assert beyond == [("b", 600 * 125), ("c", 6_000), ("d", 6_000)]


def test_a_rewrite_pays_for_it_again() -> None:
    (stretch,) = read(
        reply("a", 1, w5=10_000, tools=(use("u"),)),
        result("u", 3_500),
        reply("b", 2, read=10_000, w5=2_000),
        reply("c", 3, read=11_400, w5=1_000),
    )
    assert stretch.cost(stretch.results[0]) == 1_000 * 125 + 400 * 10 + 600 * 125


@pytest.mark.parametrize("kind", [MarkKind.COMPACTION, MarkKind.CLEAR, MarkKind.MICROCOMPACTION])
def test_it_leaves_at_a_compaction(kind: MarkKind) -> None:
    first, second = read(
        reply("a", 1, w5=10_000, tools=(use("u"),)),
        result("u", 3_500),
        reply("b", 2, read=10_000, w5=2_000),
        mark(kind),
        reply("c", 3, read=5_000, w5=1_000),
    )
    assert spans(first) == [("u", 11_000, 1_000, 1, 2)]
    assert spans(second) == []


def test_a_result_from_before_a_compaction_never_enters() -> None:
    _, second = read(
        reply("a", 1, w5=10_000, tools=(use("u"),)),
        result("u", 3_500),
        mark(MarkKind.COMPACTION),
        reply("b", 2, w5=9_000),
    )
    assert spans(second) == []


def test_it_leaves_when_the_person_goes_back() -> None:
    (stretch,) = read(
        reply("a", 1, w5=10_000, tools=(use("u"),)),
        result("u", 3_500),
        reply("b", 2, read=10_000, w5=2_000, tools=(use("v"),)),
        result("v", 3_500),
        reply("c", 3, read=12_000, w5=2_000),
        typed(),
        reply("d", 4, read=12_000, w5=500),
    )
    assert spans(stretch) == [("u", 11_000, 1_000, 1, 4), ("v", 13_000, 1_000, 2, 3)]


def test_tokens_are_at_most_what_the_prompt_grew_by() -> None:
    (stretch,) = read(
        reply("a", 1, w5=10_000, tools=(use("u"), use("v"))),
        result("u", 7_000),
        result("v", 0, images=2),
        result("w", 0),
        reply("b", 2, read=10_000, w5=1_000),
    )
    assert spans(stretch) == [("u", 10_000, 400, 1, 2), ("v", 10_400, 600, 1, 2)]


@given(histories())
def test_the_quick_sum_is_the_sum_of_the_charges_and_no_two_results_share_a_place(told: History) -> None:
    for timeline in told.timelines:
        for stretch in _of(told, timeline):
            for carried in stretch.results:
                for beyond in (0, 1, carried.tokens // 2):
                    charged = [part.amount for _, part in stretch.charges(carried, beyond)]
                    assert stretch.cost(carried, beyond) == sum(charged)
            for index in range(len(stretch.steps)):
                here = sorted((c.start, c.stop) for c in stretch.results if c.entered <= index < c.left)
                assert all(before[1] <= after[0] for before, after in pairwise(here))


@given(histories(), st.integers(0, 3_000))
def test_sums_are_the_charges_of_all_results_added_up(told: History, beyond: int) -> None:
    for timeline in told.timelines:
        for stretch in _of(told, timeline):
            large = [carried for carried in stretch.results if carried.tokens > beyond]
            one_by_one: Counter[tuple[str, Lane]] = Counter()
            for carried in large:
                for step, part in stretch.charges(carried, beyond):
                    one_by_one[step.reply.message_id, part.lane] += part.amount
            summed: Counter[tuple[str, Lane]] = Counter()
            for message, lane, amount in stretch.claims(large, beyond):
                summed[message, lane] += amount
            assert +summed == +one_by_one


def _of(told: History, timeline: Timeline) -> list[Stretch]:
    return stretches(steps(timeline, around(told).bills))
