from __future__ import annotations

from advisors.scenes import MINUTE, line, mark, reply, result, typed
from underspend.advisors.reading.steps import moment, segments, steps
from underspend.core.history import MarkKind


def test_each_reply_comes_with_what_led_to_it() -> None:
    asked, answer = typed(1), result("u", at=5)
    row = steps(line(asked, reply("a", 3), answer, reply("b", 9), typed(20)), {})
    assert [(step.reply.message_id, step.before, step.asked) for step in row] == [
        ("a", (asked,), 1),
        ("b", (answer,), 5),
    ]
    assert row[1].gap(row[0]) == 4
    assert row[0].gap(row[1]) == 0


def test_a_reply_that_nothing_led_to_was_asked_for_when_it_came() -> None:
    row = steps(line(reply("a", 3), mark(MarkKind.RESUME, 4), reply("b", 9), result("u", at=99), reply("c", 10)), {})
    assert [step.asked for step in row] == [3, 9, 10]
    assert row[1].mark(MarkKind.RESUME) == mark(MarkKind.RESUME, 4)
    assert row[1].mark(MarkKind.CLEAR) is None


def test_replies_of_agents_in_the_parents_file_are_not_its_row() -> None:
    inner = reply("b", 2, nested=True)
    assert [step.reply.message_id for step in steps(line(reply("a", 1), inner), {})] == ["a"]
    assert [step.reply.message_id for step in steps(line(inner, agent="x"), {})] == ["b"]


def test_a_row_is_cut_at_compactions_and_clears() -> None:
    row = steps(
        line(
            reply("a", 1),
            mark(MarkKind.MICROCOMPACTION),
            reply("b", 2),
            mark(MarkKind.COMPACTION),
            reply("c", 3),
            mark(MarkKind.CLEAR),
            reply("d", 4),
        ),
        {},
    )
    assert [[step.reply.message_id for step in part] for part in segments(row)] == [["a", "b"], ["c"], ["d"]]
    assert segments([]) == []


def test_a_moment_is_utc_to_the_minute() -> None:
    assert moment(0) == "1970-01-01 00:00Z"
    assert moment(1_768_389_060_000_000 + 59 * MINUTE) == "2026-01-14 12:10Z"
