from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.calls import FlatRates, context, result
from underspend.core.call import Block, Section
from underspend.core.conversation import Conversation
from underspend.core.foresight import Chance, can_bear, new_from, written_at

SYSTEM = Block(Section.SYSTEM, "text", "system", b"s", 35, 10)
SAID = Block(Section.MESSAGES, "text", "assistant", b"a", 35, 10, message=1, role="assistant")


@given(st.lists(st.integers(0, 100)).map(sorted), st.integers(0, 50), st.integers(0, 50))
def test_a_chance_is_what_was_seen_on_top_of_what_was_believed(values: list[int], above: int, more: int) -> None:
    found = Chance(1, 4).seen(values, above, above + more, prior=8)
    inside = sum(above < value <= above + more for value in values)
    assert found.hits * (len(values) + 8) == (inside + 2) * found.of


def test_a_gain_is_weighed_by_its_chance() -> None:
    assert Chance(1, 3).weighs_more(31, 10)
    assert not Chance(1, 3).weighs_more(30, 10)


def test_what_is_new_stands_behind_the_last_reply() -> None:
    assert new_from([SYSTEM, result(), SAID, result("t2"), result("t3")]) == 3
    assert new_from([SYSTEM, result(), SAID]) == 3
    assert new_from([SYSTEM, result()]) == 1
    assert new_from([]) == 0


def test_a_written_token_costs_what_the_last_breakpoint_asks_for() -> None:
    rates = FlatRates()
    marked = [[], [None], ["1h", "5m"], ["5m", None, "1h"]]
    blocks = [[result(str(at), breakpoint=ttl) for at, ttl in enumerate(each)] for each in marked]
    assert [written_at(each, rates) for each in blocks] == [100, 100, 125, 200]


def test_a_conversation_bears_a_fiftieth_of_its_cost_and_what_it_has_saved() -> None:
    def bears(loss: int, **talk: int) -> bool:
        return can_bear(loss, context(conversation=Conversation(**talk)))

    assert [bears(loss, paid=500) for loss in (0, 10, 11)] == [True, True, False]
    assert [bears(loss, paid=500, saved=90) for loss in (100, 101)] == [True, False]
    assert not bears(0, paid=500, saved=-11)
    ctx = context(conversation=Conversation(paid=500))
    assert [can_bear(loss, ctx, by_then=500) for loss in (20, 21)] == [True, False]
