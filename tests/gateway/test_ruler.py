"""The ruler: what a bill told apart is known exactly, and the rest is measured between what is known."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from underspend.core.call import Block, Section
from underspend.core.usage import Usage
from underspend.gateway.ruler import Ruler
from underspend.promptcache import Growing, Names, Split
from underspend.promptcache.prompt import Settings


def lanes(rest, read, short, long):
    """A split, its lanes in the order in which `Usage` has them here."""
    return Split(input=rest, cache_read=read, cache_write_5m=short, cache_write_1h=long)


SETTINGS = Settings(model="claude-sonnet-5-5", thinking=())


def growing(names, sizes):
    made = Growing(names)
    blocks = [Block(Section.MESSAGES, "text", "user", b"%d" % at, size, size) for at, size in enumerate(sizes)]
    made.follow(tuple(blocks), SETTINGS)
    return made


def test_a_prompt_read_whole_elsewhere_is_written_for_what_was_billed_as_read_and_written():
    ruler, prompt = Ruler(), growing(Names(), [100, 100, 100])
    anchors = ruler.learn(prompt, lanes(100, 100, 100, 0), Usage(7, 90, 0, 130, 5))
    cold = ruler.measured(prompt, lanes(100, 0, 200, 0), anchors, 5)
    assert cold == Usage(7, 220, 0, 0, 5)


def test_a_prefix_of_an_earlier_bill_is_known_in_a_later_one():
    names, ruler = Names(), Ruler()
    ruler.learn(growing(names, [100, 100]), lanes(0, 0, 200, 0), Usage(0, 260, 0, 0, 1))
    later = growing(names, [100, 100, 100, 100])
    anchors = ruler.learn(later, lanes(0, 0, 400, 0), Usage(0, 400, 0, 0, 1))
    assert ruler.measured(later, lanes(0, 200, 200, 0), anchors, 1) == Usage(0, 140, 0, 260, 1)


def test_lanes_that_the_rules_do_not_explain_leave_the_whole_prompt_alone_known():
    ruler, prompt = Ruler(), growing(Names(), [100, 100])
    assert ruler.learn(prompt, lanes(0, 200, 0, 0), Usage(300, 0, 0, 0, 1)) == ((200, 300),)
    assert not len(ruler)


def test_what_was_learned_is_forgotten_with_the_names():
    ruler, prompt = Ruler(), growing(Names(), [100])
    ruler.learn(prompt, lanes(0, 0, 100, 0), Usage(0, 90, 0, 0, 1))
    ruler.clear()
    assert not len(ruler)


tokens = st.integers(1, 5_000)


@given(st.lists(tokens, min_size=1, max_size=6), st.data())
def test_the_bill_itself_is_measured_as_it_was_and_no_split_gains_or_loses_a_token(sizes, data):
    ruler, prompt = Ruler(), growing(Names(), sizes)
    ends = [0, *prompt.sizes]
    first, second = sorted(data.draw(st.lists(st.sampled_from(ends), min_size=2, max_size=2)))
    split = lanes(ends[-1] - second, first, second - first, 0)
    billed = Usage(*(data.draw(tokens) if lane else 0 for lane in (split.input, second - first, 0, first)), 3)
    anchors = ruler.learn(prompt, split, billed)
    if split.input or billed.input == 0:
        assert ruler.measured(prompt, split, anchors, 3) == replace(billed)
    other = data.draw(st.sampled_from(ends))
    assert ruler.measured(prompt, lanes(ends[-1] - other, other, 0, 0), anchors, 3).prompt == billed.prompt
