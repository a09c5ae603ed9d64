from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calls import NoPrices, Scripted, call, context, proposing, result
from underspend.core.call import Call
from underspend.core.conversation import Conversation, Kept, name_of
from underspend.core.edits import (
    ContentEdit,
    Edit,
    RefusalKind,
    Refuse,
    ReplaceContent,
    ReplaceMessages,
    SetModel,
    ShortenContent,
    Warn,
)
from underspend.core.engine import Step, apply, as_before, run
from underspend.core.plan import Decision, Fault
from underspend.core.strategy import State, Strategy
from underspend.core.summaries import Replaced

CHEAP = SetModel("cheap", why="cheaper")
REFUSAL = Refuse(RefusalKind.BUDGET, why="spent")
WARNING = Warn(why="nearly spent")


def on(*strategies: Strategy) -> list[Step]:
    return [Step(strategy, State.ON) for strategy in strategies]


def test_no_strategy_no_change() -> None:
    asked = call()
    plan = run(asked, [], context())
    assert plan.call is asked is plan.asked
    assert (plan.edited, plan.decisions, plan.faults, plan.refusal) == (False, (), (), None)


def test_an_edit_is_applied_and_priced() -> None:
    plan = run(call(), on(proposing(CHEAP)), context())
    assert plan.call == call(model="cheap")
    assert plan.asked == call()
    assert plan.edited
    assert plan.decisions == (Decision(strategy="scripted", edit=CHEAP, applied=True, before=70, after=7),)


def test_each_strategy_sees_the_edits_before_it() -> None:
    seen: list[str] = []

    def watch(asked: Call) -> Iterator[Edit]:
        seen.append(asked.model)
        yield SetModel(asked.model + "+", why="longer")

    plan = run(call(model="m"), on(Scripted(says=watch), Scripted(says=watch)), context())
    assert seen == ["m", "m+"]
    assert plan.call.model == "m++"
    assert [(decision.before, decision.after) for decision in plan.decisions] == [(None, None)] * 2


def test_shadow_decides_and_prices_but_changes_nothing() -> None:
    asked = call()
    plan = run(asked, [Step(proposing(CHEAP), State.SHADOW)], context())
    assert plan.call is asked
    assert plan.decisions == (Decision(strategy="scripted", edit=CHEAP, applied=False, before=70, after=7),)


def test_off_is_not_asked() -> None:
    assert run(call(), [Step(Scripted(says=_raise), State.OFF)], context()) == run(call(), [], context())


def test_an_edit_that_changes_nothing_is_left_out() -> None:
    plan = run(call(), on(proposing(SetModel("dear", why="as it is"))), context())
    assert (plan.decisions, plan.edited) == ((), False)


def test_a_warning_is_recorded_and_changes_nothing() -> None:
    plan = run(call(), on(proposing(WARNING)), context())
    assert plan.decisions == (Decision(strategy="scripted", edit=WARNING, applied=True, before=70, after=70),)
    assert not plan.edited


def test_a_refusal_ends_the_run() -> None:
    plan = run(call(), on(proposing(REFUSAL), proposing(CHEAP)), context())
    assert plan.refusal == REFUSAL
    assert plan.decisions == (Decision(strategy="scripted", edit=REFUSAL, applied=True, before=70, after=0),)


def test_a_shadow_refusal_does_not() -> None:
    plan = run(call(), [Step(proposing(REFUSAL), State.SHADOW), *on(proposing(CHEAP))], context())
    assert plan.refusal is None
    assert plan.call.model == "cheap"
    assert [decision.applied for decision in plan.decisions] == [False, True]


def _raise(_: Call) -> Iterator[Edit]:
    yield CHEAP
    raise ZeroDivisionError("broken")


def test_a_strategy_that_fails_is_a_fault_and_all_its_edits_vanish() -> None:
    other = SetModel("other", why="goes on")
    plan = run(call(), on(Scripted(says=_raise), proposing(other)), context())
    assert plan.faults == (Fault("strategy scripted", "ZeroDivisionError: broken"),)
    assert plan.call.model == "other"
    assert [decision.edit for decision in plan.decisions] == [other]


@pytest.mark.parametrize("wrong", [None, "model", 7, object()])
def test_what_is_no_edit_is_a_fault_of_its_strategy(wrong: object) -> None:
    plan = run(call(), on(proposing(CHEAP, wrong), proposing(WARNING)), context())
    assert [fault.component for fault in plan.faults] == ["strategy scripted"]
    assert (plan.edited, [decision.edit for decision in plan.decisions]) == (False, [WARNING])


def test_a_price_list_that_fails_stops_nothing() -> None:
    plan = run(call(), on(proposing(CHEAP)), context(NoPrices()))
    assert plan.call.model == "cheap"
    assert [(decision.before, decision.after) for decision in plan.decisions] == [(None, None)]


def _kept(*edits: tuple[str, ContentEdit]) -> Conversation:
    return Conversation(kept={name_of(result(ref)): Kept("scripted", edit) for ref, edit in edits})


def test_what_was_done_to_a_block_is_done_again_wherever_it_stands() -> None:
    gone, short = ReplaceContent(0, "gone", 3, why="stale"), ShortenContent(0, 9, 9, 6, why="long")
    before = call(blocks=(result("t1"), result("t2")))
    after = call(blocks=(result("t0"), result("t1", breakpoint="5m"), result("t3"), result("t2")))
    first = run(before, on(proposing(replace(gone, at=0), replace(short, at=1))), context())
    second = run(after, on(proposing()), context(conversation=_kept(("t1", gone), ("t2", short))))
    assert [block.digest for block in second.call.blocks[1::2]] == [block.digest for block in first.call.blocks]
    assert second.call.blocks[1].breakpoint == "5m"
    assert [(decision.edit, decision.again) for decision in second.decisions] == [
        (replace(gone, at=1), True),
        (replace(short, at=3), True),
    ]


@pytest.mark.parametrize("state", list(State))
def test_what_was_done_is_done_again_even_when_its_strategy_has_been_turned_off(state: State) -> None:
    asked = call(blocks=(result("t1"),))
    ctx = context(conversation=_kept(("t1", ReplaceContent(0, "gone", 3, why="stale"))))
    assert run(asked, [Step(proposing(), state)], ctx).call.blocks[0].tokens == 3


def test_thinking_that_was_left_out_stays_out() -> None:
    thought = replace(result(), kind="thinking", ref=None, role="assistant")
    kept = Conversation(kept={name_of(thought): Kept("scripted", ReplaceContent(0, "", 0, why="another model's"))})
    assert run(call(blocks=(thought,)), [], context(conversation=kept)).call.blocks[0].tokens == 0


MADE = ReplaceMessages(1, 2, "in short", 3, why="cold")
OLD = tuple(replace(result(f"t{number}"), message=number) for number in range(5))


class Marks(Scripted):
    """One that only sets breakpoints."""

    name: ClassVar[str] = "marks"
    keeps_meaning: ClassVar[bool] = True


def _replaced() -> Conversation:
    return Conversation(replaced=Replaced("sums", MADE, b"prefix"))


def test_what_stands_for_old_messages_stands_there_again_before_breakpoints_are_set() -> None:
    seen: list[list[int]] = []

    def watch(asked: Call) -> list[Edit]:
        seen.append([block.message for block in asked.blocks])
        return []

    plan = run(call(blocks=OLD), on(Scripted(says=watch), Marks(says=watch)), context(conversation=_replaced()))
    assert seen == [[0, 1, 2, 3, 4], [0, 1, 3, 4]]
    assert plan.decisions == (Decision(strategy="sums", edit=MADE, applied=True, before=None, after=None, again=True),)
    assert run(call(blocks=OLD), [], context(conversation=_replaced())).call == plan.call
    assert as_before(call(blocks=OLD), _replaced()) == plan.call


def test_it_does_not_where_another_does_or_where_some_of_them_are_gone() -> None:
    more = ReplaceMessages(1, 3, "shorter still", 3, why="cold")
    plan = run(call(blocks=OLD), on(proposing(more), Marks(says=lambda _: [])), context(conversation=_replaced()))
    assert [decision.edit for decision in plan.decisions] == [more]
    assert run(call(blocks=OLD[:2]), [], context(conversation=_replaced())).decisions == ()


EDITS = st.sampled_from([CHEAP, SetModel("dear", why="back"), WARNING, REFUSAL, None, "junk"])
STRATEGIES = st.lists(EDITS, max_size=3).map(lambda edits: proposing(*edits)) | st.sampled_from(
    [Scripted(says=_raise), Scripted(says=cast("Any", None)), cast("Any", object()), cast("Any", Scripted)]
)
STEPS = st.lists(st.builds(Step, STRATEGIES, st.sampled_from(State)), max_size=6)


@given(steps=STEPS, priced=st.booleans())
def test_the_engine_never_raises(*, steps: list[Step], priced: bool) -> None:
    plan = run(call(), steps, context() if priced else context(NoPrices()))
    assert plan.asked == call()
    applied = [decision.edit for decision in plan.decisions if decision.applied]
    expected = call()
    for edit in applied:
        expected = apply(edit, expected)
    assert plan.call == expected
    assert (plan.refusal in applied) if plan.refusal else all(not isinstance(edit, Refuse) for edit in applied)
    refusals = [edit for edit in applied if isinstance(edit, Refuse)]
    assert bool(refusals) == (plan.refusal is not None)


@given(STEPS)
def test_shadow_and_off_never_change_a_call(steps: list[Step]) -> None:
    asked = call()
    quiet = [replace(step, state=State.SHADOW if step.state is State.ON else step.state) for step in steps]
    plan = run(asked, quiet, context())
    assert plan.call is asked
    assert plan.refusal is None
