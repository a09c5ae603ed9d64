from __future__ import annotations

from dataclasses import replace

from core.calls import FlatPrices
from strategies.talks import MINUTE, block, decided, filler, known, places, read, talk, warm
from underspend.core.call import Identity, Role, Section
from underspend.core.conversation import Habits
from underspend.core.edits import SetBreakpoint
from underspend.strategies.cache_breakpoints import CacheBreakpoints

BARE = talk(read(), read("b"), marks=None)


def test_a_conversation_that_goes_on_is_cached() -> None:
    edits = decided(CacheBreakpoints(), BARE, warm(BARE))
    assert places(edits) == [0, len(BARE.blocks) - 1]
    assert all(isinstance(edit, SetBreakpoint) and edit.ttl == "5m" for edit in edits)


def test_nothing_is_done_before_anything_is_known() -> None:
    assert decided(CacheBreakpoints(), BARE, known()) == []
    assert decided(CacheBreakpoints(), replace(BARE, model="new"), warm(BARE)) == []
    assert decided(CacheBreakpoints(), replace(BARE, identity=Identity(role=Role.SIDE)), warm(BARE)) == []
    assert decided(CacheBreakpoints(), replace(BARE, blocks=()), warm(BARE)) == []
    assert decided(CacheBreakpoints(), replace(BARE, automatic="5m"), warm(BARE)) == []


def test_pauses_of_more_than_five_minutes_speak_against_it() -> None:
    assert decided(CacheBreakpoints(), BARE, warm(BARE, gaps=(7 * MINUTE,) * 9)) == []


def test_the_first_call_is_cached_where_conversations_are_long() -> None:
    long, short = ([20] * 9, [1] * 9)
    habits = [Habits(lengths={Role.MAIN: each}, gaps={Role.MAIN: [MINUTE] * 9}) for each in (long, short)]
    assert [bool(decided(CacheBreakpoints(), BARE, known(habits=each))) for each in habits] == [True, False]


def test_there_is_one_before_the_last_system_block_and_never_more_than_four() -> None:
    tool = block("tool", 500, section=Section.TOOLS)
    system = [block("text", 500, section=Section.SYSTEM, label=str(number)) for number in range(3)]
    asked = replace(BARE, blocks=(tool, *system, *BARE.blocks[1:]))
    assert places(decided(CacheBreakpoints(), asked, warm(asked))) == [0, 2, 3, len(asked.blocks) - 1]


def test_short_prefixes_thinking_and_empty_text_get_none() -> None:
    asked = replace(BARE, blocks=(*BARE.blocks, block("text", 0), block("thinking", 40)))
    prices = FlatPrices()
    prices.minimum = 1_500
    assert places(decided(CacheBreakpoints(), asked, warm(asked, prices=prices))) == [len(BARE.blocks) - 1]


def test_a_clients_own_stay_and_are_bridged_where_the_lookback_ends() -> None:
    few = talk(read(), read("b"))
    assert decided(CacheBreakpoints(), few, warm(few)) == []
    crowd = [replace(few.blocks[-1], breakpoint=None, ref=f"c{number}") for number in range(20)]
    asked = replace(few, blocks=(*few.blocks[:-1], *crowd, few.blocks[-1]))
    before = len(few.blocks) - 3
    assert decided(CacheBreakpoints(), asked, warm(asked)) == [
        SetBreakpoint(before, "5m", why="22 blocks came in at once; the cache looks back over 20")
    ]
    full = [replace(each, breakpoint="5m") if at in {0, 1, 2} else each for at, each in enumerate(asked.blocks)]
    assert decided(CacheBreakpoints(), replace(asked, blocks=tuple(full)), warm(asked)) == []


def test_a_clients_own_on_the_system_prompt_alone_is_its_choice() -> None:
    asked = talk(*filler(30), marks=None)
    only = replace(asked, blocks=(replace(asked.blocks[0], breakpoint="5m"), *asked.blocks[1:]))
    assert decided(CacheBreakpoints(), only, warm(only)) == []
