from __future__ import annotations

from core.calls import call, context, result
from underspend.core.call import Block, Call, Section
from underspend.core.context import Context
from underspend.core.conversation import Conversation
from underspend.core.editing import apply
from underspend.core.edits import ReplaceContent
from underspend.core.pruning import UNCHANGED, Cut, free, results, worth_it

SYSTEM = Block(Section.SYSTEM, "text", "system", b"s", 350, 100, "5m")
THINKING = Block(Section.MESSAGES, "thinking", "assistant", b"t", 35, 10, message=3, role="assistant")
SAID = Block(Section.MESSAGES, "text", "assistant", b"a", 35, 10, message=5, role="assistant")
ASKED = call(
    blocks=(
        SYSTEM,
        *(result(f"t{at}", tokens=100) for at in range(4)),
        SAID,
        result("new", tokens=100, breakpoint="5m"),
    )
)


def cut(at: int, saves: int = 90, calls: int = 0) -> Cut:
    return Cut(ReplaceContent(at, "", 100 - saves, why=""), saves, calls)


def knowing(**talk: int) -> Context:
    return context(conversation=Conversation(**talk))


def at(cuts: list[Cut]) -> list[int]:
    return [each.edit.at for each in cuts]


def test_edited_results_and_those_that_others_point_to_stay() -> None:
    same = {"subject": b"a", "span": (1, 9)}
    asked = call(blocks=(result("t0", **same), result("t1", subject=b"b"), result("t2", **same), result("t3", **same)))
    pointed = apply(ReplaceContent(2, UNCHANGED, 9, why=""), asked)
    replaced = apply(ReplaceContent(2, "gone", 9, why=""), asked)
    assert results(pointed.blocks, binds_thinking=False) == [1, 3]
    assert results(replaced.blocks, binds_thinking=False) == [0, 1, 3]


def test_before_bound_thinking_nothing_may_be_edited() -> None:
    blocks = [SYSTEM, result("t0"), THINKING, result("t1")]
    assert results(blocks, binds_thinking=False) == [1, 3]
    assert results(blocks, binds_thinking=True) == [3]


def test_what_stands_behind_all_that_is_warm_is_free() -> None:
    cuts = [cut(number) for number in (1, 2, 3, 6)]
    assert at(free(cuts, ASKED, knowing())) == [1, 2, 3, 6]
    assert at(free(cuts, ASKED, knowing(warm_tokens=300))) == [3, 6]
    assert at(free(cuts, ASKED, knowing(warm_tokens=510, calls=1, idle=310_000_000))) == [6]
    assert at(free(cuts, ASKED, knowing(calls=1, idle=310_000_000))) == [6]  # its lifetime has only just ended
    assert at(free(cuts, ASKED, knowing(calls=1, idle=400_000_000))) == [1, 2, 3, 6]
    assert free([], ASKED, knowing()) == []


def bought(asked: Call, *cuts: Cut, paid: int = 10**9) -> list[int]:
    return at(worth_it(cuts, asked, knowing(warm_tokens=510, calls=9, idle=60_000_000, paid=paid)))


def test_a_warm_cut_is_bought_when_its_rent_reaches_its_price() -> None:
    """Of 410 warm tokens behind the system prompt 320 would be written again, at 125 instead of 10."""
    assert bought(ASKED, cut(1, calls=40)) == []
    assert bought(ASKED, cut(1, calls=41)) == [1]
    assert bought(ASKED, cut(1, calls=41), paid=0) == []
    assert bought(ASKED, cut(1, calls=20), cut(2, calls=20)) == [1, 2]  # one price, two rents


def test_a_cut_that_has_not_earned_it_does_not_stop_those_behind_it() -> None:
    near = call(blocks=(*ASKED.blocks[:3], result("mark", tokens=100, breakpoint="5m"), *ASKED.blocks[4:]))
    assert bought(near, cut(1, calls=1), cut(4, calls=9)) == [4]


def test_free_ones_come_with_or_without_bought_ones() -> None:
    assert bought(ASKED, cut(1), cut(6)) == [6]
    assert worth_it([], ASKED, knowing()) == []
    assert at(worth_it([cut(1)], call(model="new", blocks=ASKED.blocks), knowing(warm_tokens=510))) == []
