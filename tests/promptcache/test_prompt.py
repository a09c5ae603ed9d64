from dataclasses import replace

import pytest

from promptcache.prompts import MODEL, ask, piece, system, tool
from underspend.core.call import Block, Section
from underspend.promptcache import Cache, InvalidPromptError, build, next_pass, piece_of

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


def test_a_server_tools_next_pass_writes_for_five_minutes_even_in_a_1h_request():
    cache = Cache()
    first = build([system("s", 600, "1h"), piece("m", 100, "1h")], MODEL)
    cache.began(cache.admit(first, 0), 1)
    second = next_pass(first, [piece("use", 20), piece("found", 80), piece("thinking", 5, cacheable=False)])
    split = cache.admit(second, 2)
    assert (split.input, split.cache_read, split.cache_write_5m, split.cache_write_1h) == (5, 700, 100, 0)
    whole = build([system("s", 600), piece("m", 100), piece("use", 20), piece("found", 80)], MODEL)
    assert second.digests[:4] == whole.digests


def test_without_breakpoints_a_next_pass_writes_nothing():
    plain = build([piece("m", 900)], MODEL)
    assert next_pass(plain, [piece("found", 80)]).breakpoints == ()
    assert next_pass(plain, []) == plain
