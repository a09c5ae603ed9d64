import random
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underspend.routing.beliefs import Arm
from underspend.routing.features import LADDERS
from underspend.routing.forest import TREES, Forest, Tree
from underspend.routing.residual import Lesson

CHEAP, DEAR = Arm("cheap"), Arm("dear")
ONE, TWO = LADDERS[0][:6], LADDERS[4][:4]


def lesson(steps=(), quality=1.0, *, arm=CHEAP, task="chat", weight=1.0):
    return Lesson(task, array("I", steps), arm, quality, weight)


def both(count=200):
    """Only a task that shows one of two steps and not the other is done: no sum of weights can tell."""
    chance, lessons = random.Random(5), []
    for _ in range(count):
        first, second = chance.random() < 0.5, chance.random() < 0.5
        lessons.append(lesson((*(ONE if first else ()), *(TWO if second else ())), float(first != second)))
    return lessons


def grown(lessons):
    return Forest.grown(lessons, len(lessons))


def test_it_begins_as_nothing_and_says_when_there_is_enough():
    forest = Forest()
    assert forest.qualities(ONE, "chat") == {}
    assert not forest.is_due(19)
    assert forest.is_due(20)


@pytest.mark.parametrize(("grown_at", "soonest"), [(20, 22), (500, 526), (2_000, 2_501)])
def test_new_trees_are_due_a_twentieth_later_and_with_many_results_a_quarter(grown_at, soonest):
    forest = Forest(grown_at=grown_at)
    assert not forest.is_due(soonest - 1)
    assert forest.is_due(soonest)


def test_it_finds_what_only_holds_together():
    forest = grown(both(400))
    assert forest.qualities(ONE, "chat")[CHEAP] > 0.7
    assert forest.qualities(TWO, "chat")[CHEAP] > 0.7
    assert forest.qualities((*ONE, *TWO), "chat")[CHEAP] < 0.3
    assert forest.qualities((), "chat")[CHEAP] < 0.3


def test_classes_are_told_apart():
    forest = grown([lesson(quality=place % 2, task="chat" if place % 2 else "title") for place in range(80)])
    assert forest.qualities((), "chat")[CHEAP] > forest.qualities((), "title")[CHEAP] + 0.5


def test_each_arm_has_its_own_qualities():
    lessons = [lesson(ONE if place % 4 < 2 else (), 1.0, arm=(CHEAP, DEAR)[place % 2]) for place in range(120)]
    lessons = [one if one.arm == DEAR or not one.features else lesson(one.features, 0.0) for one in lessons]
    found = grown(lessons).qualities(ONE, "chat")
    assert found[CHEAP] < 0.2
    assert found[DEAR] > 0.8
    assert grown(lessons).qualities((), "chat")[CHEAP] > 0.8


def test_a_result_of_no_weight_says_nothing():
    heavy = [lesson(quality=1.0) for _ in range(40)]
    light = [lesson(quality=0.0, weight=0.0) for _ in range(400)]
    assert grown(heavy + light).qualities((), "chat")[CHEAP] == pytest.approx(1.0)


def test_equal_lessons_give_equal_trees():
    assert grown(both()) == grown(both())
    assert len(grown(both()).trees) == TREES


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.builds(
            lesson,
            st.lists(st.sampled_from([*ONE, *TWO, 7]), unique=True),
            st.floats(0, 1),
            arm=st.sampled_from([CHEAP, DEAR]),
            task=st.sampled_from(["chat", "title"]),
            weight=st.floats(0.1, 1),
        ),
        max_size=80,
    )
)
def test_qualities_are_rates_and_a_dump_is_loaded_as_it_was(lessons):
    forest = grown(lessons)
    for found in (forest.qualities(one.features, one.task) for one in lessons[:9]):
        assert all(-1e-6 <= quality <= 1 + 1e-6 for quality in found.values())
    for tree in forest.trees[:3]:
        assert Tree.load(tree.dump(), len(forest.arms)) == tree


@pytest.mark.parametrize("text", ["", "nonsense", "~~~", Tree(array("i", [4]), array("i", [9]), array("f")).dump()])
def test_what_is_no_tree_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        Tree.load(text, 1)


def test_a_tree_that_leads_nowhere_is_refused():
    around = Tree(array("i", [4, -1, -1]), array("i", [0, 0, 0]), array("f", [0.5]))
    with pytest.raises(ValueError, match="not a tree"):
        Tree.load(around.dump(), 1)
