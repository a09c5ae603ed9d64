from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from advisors.scenes import advise, assert_sound, histories, line, mark, reply, result, typed, use
from underspend.advisors.error_loops import ErrorLoops
from underspend.core.advisor import Finding
from underspend.core.history import Event, History, MarkKind, ToolUse

FAILING = "error-loops/failing-tools"


@given(histories(), st.integers(0, 5))
def test_it_is_sound(told: History, seed: int) -> None:
    assert_sound(ErrorLoops(), told, seed)


def tries(*rounds: tuple[ToolUse, ...] | Event, failing: str = "t") -> Finding | None:
    """A reply for each round of uses, whose results are errors where the use's id begins with `failing`."""
    events: list[Event] = []
    for number, each in enumerate(rounds):
        if not isinstance(each, tuple):
            events.append(each)
            continue
        events.append(reply(f"m{number}", number, read=1_000, out=20, tools=each))
        events += [result(one.id, 50, number, is_error=one.id.startswith(failing)) for one in each]
    return advise(ErrorLoops(), line(*events, reply("end", 99, read=1_000))).get(FAILING)


def bash(use_id: str, command: str = "make") -> ToolUse:
    return use(use_id, "Bash", command)


def test_the_third_failure_in_a_row_makes_a_loop_of_which_the_first_try_is_fair() -> None:
    found = tries((bash("t1"),), (bash("t2"),), (bash("t3"),))
    assert found is not None
    assert found.amount == 2 * (1_000 * 10 + 20 * 500)
    assert {claim.message_id for claim in found.claims} == {"m1", "m2"}
    assert [(row["what failed"], row["times"]) for row in found.rows] == [("Bash make", 3)]
    assert tries((bash("t1"),), (bash("t2"),)) is None


def test_a_reply_that_did_other_things_counts_for_its_share() -> None:
    found = tries((bash("t1"),), (bash("t2"), bash("ok", "ls")), (bash("t3"),))
    assert found is not None
    assert found.amount == 20_000 // 2 + 20_000


def test_several_failures_of_one_reply_are_one_try() -> None:
    assert tries((bash("t1"), bash("t2"), bash("t3"))) is None


def test_a_success_an_edit_or_a_prompt_ends_a_loop() -> None:
    for between in ((bash("ok"),), (use("e", "Edit", "/a"),), typed()):
        assert tries((bash("t1"),), (bash("t2"),), between, (bash("t3"),)) is None
    for between in ((bash("ok", "ls"),), (use("r", "Read", "/a"),), typed(by_person=False)):
        assert tries((bash("t1"),), (bash("t2"),), between, (bash("t3"),)) is not None


def test_commands_differ_by_their_text_other_tools_are_the_same_whatever_they_work_on() -> None:
    assert tries((bash("t1", "a"),), (bash("t2", "b"),), (bash("t3", "c"),)) is None
    assert tries(*((use(f"t{n}", "mcp__db__query", str(n)),) for n in range(3))) is not None


def test_a_reply_cut_and_asked_again_is_paid_twice() -> None:
    error = mark(MarkKind.API_ERROR, 2, detail="overloaded_error")
    found = advise(
        ErrorLoops(), line(typed(), reply("a", 1, w5=1_000, out=4, finalised=False), error, reply("b", 3, read=1_000))
    )
    assert found["error-loops/cut-replies"].amount == 125_000 + 2_000
    assert found["error-loops/api-errors"].title == "1 API errors: 1 × overloaded_error"


def test_a_reply_that_ended_or_went_on_was_not_cut() -> None:
    error = mark(MarkKind.API_ERROR, 2)
    whole = line(reply("a", 1, w5=1_000), error, reply("b", 3, read=1_000))
    went_on = line(reply("a", 1, w5=1_000, finalised=False), result("u"), error, reply("b", 3, read=1_000))
    for each in (whole, went_on):
        assert list(advise(ErrorLoops(), each)) == ["error-loops/api-errors"]


def test_api_errors_are_counted_by_kind_and_session() -> None:
    first, second = mark(MarkKind.API_ERROR, 2, detail="529"), mark(MarkKind.API_ERROR, 3, detail="529")
    found = advise(
        ErrorLoops(),
        line(first, second, reply("a", 4, w5=1_000), mark(MarkKind.API_ERROR, 5)),
    )["error-loops/api-errors"]
    assert (found.title, found.amount) == ("3 API errors: 2 × 529, 1 × unknown", 0)
    assert [(row["error"], row["times"], row["prompt tokens"], row["came through"]) for row in found.rows] == [
        ("529", 2, 1_000, 1),
        ("unknown", 1, 0, 0),
    ]
