from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from strategies.talks import decided, filler, known, places, read, results, talk, warm
from underspend.core.edits import ReplaceContent
from underspend.strategies.dedupe_reads import DedupeReads


def test_a_second_reading_becomes_a_pointer() -> None:
    asked = talk(read(), *filler(2), read())
    (edit,) = decided(DedupeReads(), asked, warm(asked))
    assert isinstance(edit, ReplaceContent)
    assert (edit.at, edit.tokens < 40) == (results(asked)[-1], True)


@pytest.mark.parametrize(
    "again",
    [
        read("b"),
        read(tokens=999),
        read(span=(10, 20)),
        read(is_error=True),
        read(says=b"changed"),
    ],
)
def test_what_is_not_the_same_stays(again: dict[str, Any]) -> None:
    asked = talk(read(), again)
    assert decided(DedupeReads(), asked, warm(asked)) == []


def test_short_results_stay() -> None:
    asked = talk(read(tokens=199), read(tokens=199))
    assert decided(DedupeReads(), asked, warm(asked)) == []
    assert decided(DedupeReads(min_tokens=199), asked, warm(asked)) != []


def test_what_is_cached_is_left_alone_and_what_is_cold_is_not() -> None:
    asked = talk(read(), read(), *filler(3))
    assert decided(DedupeReads(), asked, warm(asked)) == []
    assert places(decided(DedupeReads(), asked, known())) == [results(asked)[1]]


def test_the_first_must_stand_there_as_it_was() -> None:
    asked = talk(read(), read())
    first = results(asked)[0]
    blocks = [replace(each, edited=True) if at == first else each for at, each in enumerate(asked.blocks)]
    assert decided(DedupeReads(), replace(asked, blocks=tuple(blocks)), warm(asked)) == []
