from dataclasses import replace

import pytest

from promptcache.prompts import MODEL, ask, piece, system, tool
from underspend.core.call import Block, Section
from underspend.promptcache import Cache, InvalidPromptError, build, piece_of

PIECES = [tool("t", 600, "5m"), system("s", 300, "5m"), piece("m", 100, "5m")]


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"model": "other"}, 0),
        ({"scope": "other"}, 0),
        ({"speed": "fast"}, 600),
        ({"citations": True}, 600),
        ({"tool_choice": "any"}, 900),
        ({"parallel_tools": False}, 900),
        ({"images": True}, 900),
        ({"thinking": "adaptive"}, 900),
        ({"effort": "low"}, 900),
    ],
)
def test_the_invalidation_table(change, kept):
    cache = Cache()
    ask(cache, *PIECES)
    assert ask(cache, *PIECES, at=1, settings=replace(MODEL, **change))[1] == kept


def test_a_change_of_tools_loses_everything():
    cache = Cache()
    ask(cache, *PIECES)
    assert ask(cache, tool("new", 5), *PIECES, at=1)[1] == 0


def test_a_section_left_out_still_counts():
    cache = Cache()
    ask(cache, piece("m", 600, "5m"))
    assert ask(cache, piece("m", 600, "5m"), settings=replace(MODEL, speed="fast"))[1] == 0


def test_pieces_do_not_run_into_each_other():
    first = build([piece("ab", 1), piece("c", 1)], MODEL)
    other = build([piece("a", 1), piece("bc", 1)], MODEL)
    assert first.digests[-1] != other.digests[-1]


def test_the_automatic_breakpoint_stands_on_the_last_block_that_can_carry_one():
    pieces = [piece("a", 10), piece("b", 10), piece("thinking", 10, cacheable=False)]
    assert build(pieces, MODEL, automatic="1h").breakpoints == ((1, "1h"),)
    assert build([], MODEL, automatic="5m").breakpoints == ()
    assert build([piece("a", 1, "5m")], MODEL, automatic="5m").breakpoints == ((0, "5m"),)


@pytest.mark.parametrize(
    ("pieces", "automatic"),
    [
        ([piece(str(at), 1, "5m") for at in range(5)], None),
        ([*(piece(str(at), 1, "5m") for at in range(4)), piece("end", 1)], "5m"),
        ([piece("a", 1, "5m"), piece("b", 1, "1h")], None),
        ([piece("a", 1, "5m")], "1h"),
    ],
)
def test_breakpoints_that_the_provider_refuses(pieces, automatic):
    with pytest.raises(InvalidPromptError):
        build(pieces, MODEL, automatic=automatic)


def test_parsed_blocks_become_pieces():
    block = Block(Section.MESSAGES, "text", "user", b"d", 40, 10, "1h")
    assert piece_of(block) == piece("d", 10, "1h")
    assert piece_of(replace(block, kind="thinking", breakpoint=None)) == piece("d", 10, cacheable=False)
    assert piece_of(replace(block, kind="deferred_tool")) is None
