from __future__ import annotations

from dataclasses import replace

import pytest

from strategies.talks import RICH, decided, filler, known, places, read, results, run, talk, warm
from underspend.core.call import Identity, Role, Verb
from underspend.core.edits import ShortenContent
from underspend.strategies.cold_prune import ColdPrune


def test_what_is_old_is_shortened_in_a_cold_prompt() -> None:
    asked = talk(read(), run(), *filler(11))
    edits = decided(ColdPrune(), asked, known())
    assert places(edits) == results(asked)[:2]
    assert all(isinstance(edit, ShortenContent) and edit.tokens < 500 for edit in edits)
    assert decided(ColdPrune(keep_calls=12), asked, known()) == []


def test_what_was_touched_since_what_is_short_and_what_agents_said_stays() -> None:
    asked = talk(read(), run("c", 499), run("agent", verb=Verb.AGENT), *filler(11), read("a", 20))
    assert decided(ColdPrune(), asked, known()) == []


def test_a_warm_prompt_is_cut_only_if_you_say_so_and_it_has_earned_it() -> None:
    asked, too = talk(read(tokens=20_000), *filler(40)), ColdPrune(when_warm=True)
    assert places(decided(too, asked, warm(asked, **RICH))) == [results(asked)[0]]
    assert decided(too, asked, warm(asked)) == []
    assert decided(ColdPrune(), asked, warm(asked, **RICH)) == []


def test_models_that_bind_their_thinking_are_pruned_behind_it_only() -> None:
    old = [read(), *filler(11)]
    assert decided(ColdPrune(), talk(*old, thinks=True), known()) == []
    free = talk(*old, thinks=True, model="claude-opus-4-5-20251101")
    assert places(decided(ColdPrune(), free, known())) == [results(free)[0]]


def test_side_calls_stay() -> None:
    asked = replace(talk(read(), *filler(11)), identity=Identity(role=Role.SIDE))
    assert decided(ColdPrune(), asked, known()) == []


@pytest.mark.parametrize("lengths", [{"head": 9_000}, {"tail": -1}, {"min_tokens": 10}])
def test_lengths_that_cannot_be_are_refused(lengths: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="head"):
        ColdPrune(**lengths)
