import json
from dataclasses import replace

from core.calls import call
from strategies.talks import block
from underspend.core.call import Identity
from underspend.core.edits import ReplaceMessages
from underspend.core.plan import Decision, Plan
from underspend.core.summaries import Summary
from underspend.gateway.histories import HISTORY, Histories, thinking_lost

BLOCKS = tuple(
    block("text", 10, message=at, role="user" if at % 2 == 0 else "assistant", label=str(at)) for at in range(9)
)
ASKED = call(blocks=BLOCKS, identity=Identity(session="s", key="k"))
MADE = ReplaceMessages(1, 5, "in short", 3, why="cold")


def plan(asked=ASKED, edit=MADE, **more):
    said = Decision(**{"strategy": "sums", "edit": edit, "applied": True, "before": None, "after": None, **more})
    return Plan(asked=asked, call=asked, decisions=(said,))


def test_a_summary_is_found_by_the_messages_it_stands_for_and_the_longest_first():
    known = Histories()
    assert known.of(ASKED) == (None, None)
    known.put(ASKED, Summary(1, 3, "short", 1))
    known.put(ASKED, Summary(1, 5, "longer", 2))
    assert known.of(ASKED) == (Summary(1, 5, "longer", 2), None)
    assert known.of(replace(ASKED, blocks=BLOCKS[:5])) == (Summary(1, 3, "short", 1), None)
    other = (replace(BLOCKS[0], digest=b"other"), *BLOCKS[1:])
    assert known.of(replace(ASKED, blocks=other)) == (None, None)


def test_nobody_else_finds_it():
    known = Histories()
    known.put(ASKED, Summary(1, 5, "longer", 2))
    assert known.of(replace(ASKED, identity=Identity(session="s", key="another"))) == (None, None)
    assert known.of(replace(ASKED, identity=Identity(session="s", key="k", user="u"))) == (None, None)
    assert known.of(replace(ASKED, identity=Identity(session="fork", key="k")))[0] is not None


def test_what_was_put_in_place_is_kept_and_its_summary_is_at_hand_no_more():
    known = Histories()
    known.put(ASKED, Summary(1, 5, "in short", 3))
    kept = known.keep(plan())
    assert known.of(ASKED) == (None, kept)
    assert kept.edit == MADE
    assert known.keep(plan(again=True)) is None
    assert known.keep(plan(applied=False)) is None


def test_after_a_restart_the_text_is_there_only_where_it_is_stored():
    for stores, expected in ((True, (True, None)), (False, (False, 5))):
        known = Histories(stores_text=stores)
        row = known.row("s main", known.keep(plan()), 7)
        assert (row["block"], "in short" in row["edit"]) == (HISTORY, stores)
        fresh = Histories()
        assert fresh.recall([row]) == expected
        assert (fresh.of(ASKED)[1] is not None) is stores


def test_rows_that_cannot_be_read_are_as_none():
    bad = [{"block": HISTORY, "edit": said, "strategy": "s"} for said in ("{}", json.dumps({"first": "x"}), "[")]
    assert Histories().recall([{"block": "aa", "edit": "{}", "strategy": "s"}, *bad]) == (False, None)


def test_thinking_whose_prompt_is_lost_is_left_out_where_it_is_bound_to_it():
    thoughts = tuple(block("thinking", 5, message=at, role="assistant", label=f"t{at}") for at in (3, 7))
    bound = replace(ASKED, model="claude-opus-5-5", blocks=(*BLOCKS, *thoughts))
    assert len(thinking_lost(bound, 5)) == 1
    assert thinking_lost(replace(bound, model="claude-opus-4-5-20251101"), 5) == {}


def test_no_more_than_so_many_are_kept():
    known = Histories()
    for number in range(2_010):
        first = (replace(BLOCKS[0], digest=b"%d" % number), *BLOCKS[1:])
        known.put(replace(ASKED, blocks=first), Summary(1, 5, "s", 1))
    assert known.of(replace(ASKED, blocks=first))[0] is not None
    assert len(known._made) == 2_000
