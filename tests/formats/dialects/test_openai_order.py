from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from formats.dialects.asks import ARGUMENTS, UNTIMED
from underspend.formats.dialects.neutral import Event, More, PartBegan, PartEnded, Text, Thinking, ToolUse
from underspend.formats.dialects.openai_order import Order, Slot


def call(name: str) -> Slot:
    return Slot(ToolUse(name, name, ""))


def said(events: list[Event]) -> list[tuple[str, str]]:
    """The parts in order, each with its words; they may not overlap."""
    found: list[list[str]] = []
    is_open = False
    for event in events:
        match event:
            case PartBegan(part):
                assert not is_open
                is_open = True
                found.append([part.name if isinstance(part, ToolUse) else type(part).__name__, ""])
            case More(piece):
                assert is_open
                found[-1][1] += piece
            case PartEnded():
                assert is_open
                is_open = False
    assert not is_open
    return [(name, words) for name, words in found]


@UNTIMED
@given(st.lists(ARGUMENTS, min_size=1, max_size=4), st.randoms())
def test_calls_in_pieces_of_any_order_come_out_one_after_the_other(calls: list[str], chance: object) -> None:
    order, slots = Order(), [call(str(at)) for at in range(len(calls))]
    left = [list(arguments) for arguments in calls]
    events: list[Event] = []
    for at, slot in enumerate(slots):  # each begins in turn, as indices do
        events += order.add(slot, left[at].pop(0))
    while any(left):
        at = chance.choice([at for at, letters in enumerate(left) if letters])  # type: ignore[attr-defined]
        events += order.add(slots[at], left[at].pop(0))
    events += order.finish()
    assert said(events) == [(str(at), arguments) for at, arguments in enumerate(calls)]


def test_only_what_must_wait_waits() -> None:
    order, one, two = Order(), call("one"), call("two")
    assert len(list(order.add(one, '{"a":'))) == 2
    assert list(order.add(two, "{")) == []
    assert list(order.add(one, "1}")) == [More("1}"), PartEnded(), PartBegan(ToolUse("two", "two", "")), More("{")]
    assert list(order.add(two, "}")) == [More("}")]
    assert list(order.finish()) == [PartEnded()]


def test_words_go_on_where_they_were_and_end_when_a_call_begins() -> None:
    order, words = Order(), Slot(Text(""))
    events = [*order.add(words, "a")]
    assert order.says(Text) is words
    assert order.says(Thinking) is None
    events += [*order.add(words, ""), *order.add(call("c"), "{}")]
    assert order.says(Text) is None
    events += [*order.add(Slot(Text("")), "b"), *order.finish()]
    assert said(events) == [("Text", "a"), ("c", "{}"), ("Text", "b")]


def test_a_call_without_a_name_is_never_begun() -> None:
    order = Order()
    assert [*order.add(Slot(None), "{}"), *order.finish()] == []


def test_broken_arguments_hold_up_others_only_to_the_end() -> None:
    order = Order()
    events = [*order.add(call("one"), '{"a"}'), *order.add(call("two"), "{}"), *order.finish()]
    assert said(events) == [("one", '{"a"}'), ("two", "{}")]
