from __future__ import annotations

from dataclasses import replace

import pytest

from strategies.talks import decided, filler, known, places, read, results, run, talk, warm
from underspend.core.call import Identity, Role, Verb
from underspend.core.edits import ShortenContent
from underspend.strategies.trim_results import TrimResults

LONG = read(tokens=9_000)


def test_a_long_result_is_shortened_when_it_comes_in() -> None:
    asked = talk(*filler(2), LONG)
    (edit,) = decided(TrimResults(), asked, warm(asked))
    assert isinstance(edit, ShortenContent)
    assert (edit.at, edit.head, edit.tail) == (results(asked)[-1], 3_000, 1_500)
    assert edit.tokens <= 1_500


def test_of_a_commands_output_lines_that_speak_of_errors_stay() -> None:
    asked = talk(run(tokens=9_000))
    (edit,) = decided(TrimResults(), asked, warm(asked))
    assert isinstance(edit, ShortenContent)
    assert edit.words == ("error", "fail", "warning")
    assert edit.tokens < 1_800
    few = talk(run(tokens=1_700))
    assert decided(TrimResults(), few, warm(few)) == []
    assert decided(TrimResults(words=()), few, warm(few)) != []


def test_what_is_cached_or_short_stays() -> None:
    cached, short = talk(LONG, *filler(2)), talk(read(tokens=1_500))
    assert decided(TrimResults(), cached, warm(cached)) == []
    assert decided(TrimResults(), short, warm(short)) == []
    assert places(decided(TrimResults(), cached, known())) == [results(cached)[0]]


@pytest.mark.parametrize("special", [{**LONG, "is_error": True}, {**LONG, "verb": Verb.AGENT}])
def test_errors_and_what_agents_hand_back_stay(special: dict[str, object]) -> None:
    asked = talk(special)
    assert decided(TrimResults(), asked, warm(asked)) == []


def test_side_calls_stay() -> None:
    asked = replace(talk(LONG), identity=Identity(role=Role.SIDE))
    assert decided(TrimResults(), asked, known()) == []


@pytest.mark.parametrize("lengths", [{"head": 9_000}, {"head": -1}, {"head": 0, "tail": 0, "most_tokens": 1}])
def test_lengths_that_cannot_be_are_refused(lengths: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="head"):
        TrimResults(**lengths)
