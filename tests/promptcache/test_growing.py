import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.call import Block, Section
from underspend.promptcache import Cache, Growing, Names, Settings, build, piece_of
from underspend.promptcache.prompt import Prompt

KEY = Settings(model="m")
MINUTE = 60_000_000


def block(name, tokens=100, section=Section.MESSAGES):
    return Block(section, "text", "", name.encode(), 0, tokens)


def test_only_what_is_new_is_taken_in():
    growing, first = Growing(Names()), [block("s", section=Section.SYSTEM), block("a")]
    assert growing.follow(first, KEY) == 0
    before = list(growing.digests)
    assert growing.follow([*first, block("b", 50)], KEY) == 2
    assert growing.digests[:2] == before
    assert (growing.sizes, growing.total) == ([100, 200, 250], 250)


def test_another_key_takes_everything_in_anew():
    growing, blocks = Growing(Names()), [block("s", section=Section.SYSTEM), block("a")]
    growing.follow(blocks, KEY)
    before = list(growing.digests)
    assert growing.follow(blocks, Settings(model="m", effort="low")) == 0
    assert growing.digests[0] == before[0]
    assert growing.digests[1] != before[1]
    growing.follow(blocks, Settings(model="n"))
    assert growing.digests[0] != before[0]


def test_equal_prompts_of_two_conversations_have_one_name():
    names = Names()
    one, other = Growing(names), Growing(names)
    one.follow([block("a"), block("b")], KEY)
    other.follow([block("a"), block("c")], KEY)
    assert one.digests[0] == other.digests[0]
    assert one.digests[1] != other.digests[1]
    assert len(names) == 6


def test_an_empty_prompt_has_no_tokens():
    growing = Growing(Names())
    assert growing.follow([], KEY) == 0
    assert growing.total == 0


names = st.lists(st.sampled_from("abcd"), min_size=1, max_size=6)
asks = st.lists(st.tuples(names, st.sampled_from(["low", "high"]), st.integers(0, 9)), max_size=8)


@given(asks)
def test_it_splits_as_a_prompt_built_anew(rows):
    growing, ours, theirs, at = Growing(Names()), Cache(), Cache(), 0
    known = {name: block(name, 100 + ord(name)) for name in "abcd"}
    front = block("s", 900, Section.SYSTEM)
    for row, effort, minutes in rows:
        at += minutes * MINUTE
        blocks = [front, *(known[name] for name in row)]
        key = Settings(model="m", effort=effort)
        marks = ((0, "1h"), (len(blocks) - 1, "5m"))
        growing.follow(blocks, key)
        mine = growing.prompt(marks, 500)
        built = build([piece_of(each) for each in blocks], key, minimum=500)
        plain = Prompt(built.digests, built.sizes, breakpoints=marks, minimum=500)
        assert ours.find(mine, at) == theirs.find(plain, at)
        split, expected = ours.admit(mine, at), theirs.admit(plain, at)
        assert split == expected
        ours.began(split, at)
        theirs.began(expected, at)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_prompt_cut_back_keeps_what_it_shares(kept):
    growing, blocks = Growing(Names()), [block("a"), block("b"), block("c")]
    growing.follow(blocks, KEY)
    assert growing.follow([*blocks[:kept], block("x")], KEY) == kept
    assert len(growing.sizes) == kept + 1
