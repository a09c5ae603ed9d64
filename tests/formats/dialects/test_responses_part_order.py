from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from underspend.formats.dialects.neutral import Event, More, PartBegan, PartEnded, Text, ToolUse
from underspend.formats.dialects.responses_part_order import PartOrder

STEPS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["begin", "more", "end"])), max_size=40)


@given(STEPS)
def test_parts_never_overlap_and_lose_no_word(steps: list[tuple[int, str]]) -> None:
    order, said, expected = PartOrder(), list[Event](), dict[int, list[str]]()
    ended = set[int]()
    for number, (key, step) in enumerate(steps):
        if step == "begin":
            order.begin(key, ToolUse(str(key), "t"))
            expected.setdefault(key, [])
        elif step == "more":
            order.more(key, str(number))
            if key in expected and key not in ended:
                expected[key].append(str(number))
        else:
            order.end(key)
            ended |= {key} & expected.keys()
        said += order.take()
    order.end_all()
    said += order.take()
    found, open_part = dict[int, list[str]](), -1
    for event in said:
        match event:
            case PartBegan(ToolUse() as use):
                assert open_part == -1
                open_part = int(use.id)
                found[open_part] = []
            case More(words):
                found[open_part].append(words)
            case PartEnded():
                open_part = -1
    assert found == expected


def test_the_first_part_is_said_as_it_comes() -> None:
    order = PartOrder()
    order.begin("a", Text(""))
    order.begin("b", Text(""))
    order.more("b", "later")
    order.more("a", "now")
    assert order.take() == [PartBegan(Text("")), More("now")]
    order.end("a", "sig")
    assert order.take() == [PartEnded("sig"), PartBegan(Text("")), More("later")]


def test_the_rest_of_a_part_is_what_had_not_come() -> None:
    order = PartOrder()
    order.begin("a", Text(""))
    order.more("a", "one ")
    order.rest("a", "one two")
    assert order.take() == [PartBegan(Text("")), More("one "), More("two")]
    assert order.length("b") == 0
    assert order.has("a")
