"""Loops are found as soon as they are ones, and nothing is found in what people's agents do all day."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.steps_in_a_row import DOLLAR, SECOND, step, use
from underspend.core.alerts import Kind
from underspend.core.loops import LONGEST_CYCLE, LoopRules, Loops
from underspend.core.verdict import Level

FAILS = use(failed=True)
EDIT = use("Edit", "f", "done")


def play(*rows, rules=None, **more):
    """The verdicts of each row of uses, in a conversation of its own."""
    loops = Loops(rules or LoopRules())
    return [loops.take(step(number, *row, **more)) for number, row in enumerate(rows)]


def levels(found):
    return [verdicts[0].level if verdicts else Level.NONE for verdicts in found]


def test_the_same_step_is_warned_of_at_four_times_and_should_pause_at_eight():
    found = levels(play(*[[use()]] * 9))
    assert found == [Level.NONE] * 3 + [Level.WARN] * 4 + [Level.PAUSE] * 2


def test_a_loop_says_what_it_is_and_what_it_has_cost():
    (verdict,) = play(*[[use()]] * 5)[-1]
    assert verdict.words == "The same step (Bash) came 5 times in a row with the same results, for $5.00."
    assert (verdict.kind, verdict.dollars, verdict.session) == (Kind.LOOP, 5 * DOLLAR, "s")


@pytest.mark.parametrize("length", range(2, LONGEST_CYCLE + 1))
def test_a_cycle_of_several_steps_is_found(length):
    cycle = [[use("Read", f"f{number}")] for number in range(length)]
    found = play(*cycle * 8)
    assert levels(found)[4 * length - 2 : 4 * length] == [Level.NONE, Level.WARN]
    assert levels(found)[-1] is Level.PAUSE
    assert f"The same {length} steps (Read) came 8 times" in found[-1][0].words


def test_a_cycle_longer_than_the_longest_is_none():
    cycle = [[use("Read", f"f{number}")] for number in range(LONGEST_CYCLE + 1)]
    assert set(levels(play(*cycle * 20))) == {Level.NONE}


def test_the_same_command_that_fails_is_found_whatever_it_says():
    found = play(*[[use(says=f"took {number} s", failed=True)] for number in range(8)])
    assert levels(found) == [Level.NONE] * 3 + [Level.WARN] * 4 + [Level.PAUSE]
    assert found[-1][0].words == "Bash failed 8 times in a row, with no edit in between, for $8.00."


def test_another_tool_that_fails_is_found_whatever_it_is_used_on():
    found = play(*[[use("mcp__db__query", f"q{number}", f"e{number}", failed=True)] for number in range(4)])
    assert levels(found)[-1] is Level.WARN


def test_other_commands_that_fail_are_no_loop():
    assert set(levels(play(*[[use(what=f"c{number}", failed=True)] for number in range(20)]))) == {Level.NONE}


def test_several_failures_in_one_step_are_one_try():
    assert set(levels(play([FAILS] * 9, [FAILS] * 9, [FAILS] * 9))) == {Level.NONE}


def test_edit_and_test_with_other_failures_each_time_is_work():
    rows = [row for number in range(20) for row in ([EDIT], [use(says=f"{number} failed", failed=True)])]
    assert set(levels(play(*rows))) == {Level.NONE}


def test_edit_and_test_with_the_same_failure_each_time_is_none():
    found = play(*[row for _ in range(4) for row in ([EDIT], [FAILS])])
    assert levels(found)[-1] is Level.WARN
    assert "with the same result, whatever was edited in between" in found[-1][0].words


def test_a_success_ends_what_fails():
    rows = [[FAILS], [FAILS], [FAILS], [use(says="passed")]] * 5
    assert set(levels(play(*rows))) == {Level.NONE}


def test_an_edit_again_and_again_in_one_file_is_no_loop():
    assert set(levels(play(*[[EDIT]] * 30))) == {Level.NONE}


def test_the_same_command_with_other_results_is_no_loop():
    assert set(levels(play(*[[use(says=f"{number} %")] for number in range(30)]))) == {Level.NONE}


def test_a_typed_prompt_begins_anew():
    loops = Loops(LoopRules())
    found = [loops.take(step(number, use(), turn=f"{number // 3}")) for number in range(30)]
    assert set(levels(found)) == {Level.NONE}


def test_a_request_that_is_sent_twice_shows_its_results_once():
    loops = Loops(LoopRules())
    found = [loops.take(step(number, FAILS, prompt=b"same")) for number in range(9)]
    assert set(levels(found)) == {Level.NONE}


def test_the_same_request_many_times_is_found_within_its_window():
    loops = Loops(LoopRules())
    found = [loops.take(step(number, prompt=b"p")) for number in range(30)]
    assert levels(found) == [Level.NONE] * 9 + [Level.WARN] * 20 + [Level.PAUSE]
    assert found[9][0].words == "The same request was sent 10 times in 10 minutes, for $10.00."
    slow = [loops.take(step(number, prompt=b"q", at=number * 120 * SECOND)) for number in range(30)]
    assert set(levels(slow)) == {Level.NONE}


def test_without_a_session_the_same_request_is_never_more_than_a_warning():
    loops = Loops(LoopRules())
    found = [loops.take(step(number, prompt=b"p", session=None, at=0)) for number in range(100)]
    assert levels(found)[-1] is Level.WARN


TOOLS = st.sampled_from([use(), use("Read", "f"), EDIT, FAILS, use("Grep", "g", failed=True)])


@given(st.lists(st.lists(TOOLS, max_size=3), max_size=60), st.lists(st.booleans(), min_size=60, max_size=60))
def test_no_verdict_comes_before_there_were_tries_enough_in_the_turn(rows, typed):
    loops, since, turn = Loops(LoopRules()), 0, 0
    for number, row in enumerate(rows):
        if typed[number]:
            since, turn = 0, turn + 1
        since += 1
        for verdict in loops.take(step(number, *row, turn=f"{turn}")):
            assert since >= (8 if verdict.level is Level.PAUSE else 4)


@given(st.lists(st.lists(TOOLS, max_size=3), max_size=30))
def test_a_loop_is_found_whatever_came_before_it(rows):
    loops = Loops(LoopRules())
    found = [loops.take(step(number, *row)) for number, row in enumerate([*rows, *[[use("Read", "new", "same")]] * 8])]
    assert Level.PAUSE in {verdict.level for verdict in found[-1]}


@given(st.lists(st.sampled_from([FAILS, EDIT]), min_size=1, max_size=30))
def test_steps_that_all_differ_are_no_loop(uses):
    rows = [[each._replace(what=b"%d" % number, says=b"%d" % number)] for number, each in enumerate(uses)]
    assert set(levels(play(*rows))) == {Level.NONE}


@pytest.mark.parametrize("given_", [{"same_warn": 1}, {"failing_pause": 2}, {"requests_warn": 40}])
def test_rules_that_cannot_be_meant_are_refused(given_):
    with pytest.raises(ValueError, match="loop"):
        LoopRules(**given_)
