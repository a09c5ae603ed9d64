from dataclasses import replace

from advisors.scenes import around, history, line, reply, result, use
from underspend.advisors.reading import NO_BILL, accounts_of, steps, steps_of, stretches, stretches_of


def told():
    first = reply("a", 1, w5=2_000, tools=(use("u"),))
    return history(line(first, result("u", 4_000), reply("b", 9, read=2_000, w5=1_200)))


def test_they_are_what_they_are_without_sharing():
    made = told()
    known, timeline = around(made), made.timelines[0]
    assert [step.reply for step in steps_of(timeline, known)] == [step.reply for step in steps(timeline, known.bills)]
    assert [each.results for each in stretches_of(timeline, known)] == [
        each.results for each in stretches(steps(timeline, known.bills))
    ]


def test_accounts_are_replies_with_their_tokens_and_bills():
    made = told()
    known, timeline = around(made), made.timelines[0]
    assert accounts_of(timeline, known) == [
        (each, each.metered.usage, known.bills[each.message_id]) for each in timeline.replies
    ]
    assert [bill for _, _, bill in accounts_of(timeline, replace(known, bills={}))] == [NO_BILL] * 2


def test_they_are_worked_out_once_for_the_same_surroundings():
    made = told()
    known, timeline = around(made), made.timelines[0]
    assert steps_of(timeline, known) is steps_of(timeline, known)
    assert stretches_of(timeline, known) is stretches_of(timeline, known)
    assert stretches_of(timeline, known)[0].steps[0] is steps_of(timeline, known)[0]


def test_other_bills_or_another_timeline_are_worked_out_anew():
    made = told()
    known, timeline = around(made), made.timelines[0]
    assert steps_of(timeline, known)[0].prompt.parts[0].rate == 125
    assert steps_of(timeline, replace(known, bills={}))[0].prompt.parts[0].rate == 0
    assert steps_of(replace(timeline), known) is not steps_of(timeline, known)
