"""Input nobody wrote: real transcripts with lines changed, cut, repeated, out of order, written into each other."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readers.transcripts import FIXTURES, answered, lanes, taken_from
from underspend.readers.claude_code.records import Extract

NAMES = sorted(path.name for path in FIXTURES.glob("*.jsonl"))
FILES = st.sampled_from(NAMES)
WHERE = st.integers(0, 10**6)
Tokens = dict[str, tuple[int, ...]]


@cache
def lines_of(name: str) -> tuple[bytes, ...]:
    return tuple((FIXTURES / name).read_bytes().splitlines())


@cache
def truth(name: str) -> Tokens:
    return tokens(lines_of(name))


def taken(lines: Any, end: bytes = b"\n") -> Extract:
    return taken_from(b"".join(line + end for line in lines), "/p/x.jsonl")


def tokens(lines: Any) -> Tokens:
    return lanes(answered(taken(lines)))


def without(name: str, *gone: int) -> Tokens:
    """What the lines say without some of them."""
    return tokens([line for number, line in enumerate(lines_of(name)) if number not in gone])


def grown(lanes: tuple[int, ...]) -> tuple[int, ...]:
    """The fields that only ever grow: writes in all, and of these the ones for an hour."""
    fresh, five, hour, read, output = lanes
    return fresh, five + hour, hour, read, output


def at_least(found: Tokens, rest: Tokens) -> bool:
    """Whether every reply of the other lines is there with all its tokens."""
    return all(
        key in found and all(a >= b for a, b in zip(grown(found[key]), grown(lanes), strict=True))
        for key, lanes in rest.items()
    )


def untouched(name: str, number: int, found: Tokens) -> bool:
    """Whether the replies that are on other lines alone are just as they were."""
    rest = without(name, number)
    others = {key: lanes for key, lanes in rest.items() if key.encode() not in lines_of(name)[number]}
    return at_least(found, rest) and all(found[key] == lanes for key, lanes in others.items())


@given(FILES, WHERE, st.lists(st.tuples(WHERE, st.integers(0, 255)), min_size=1, max_size=5))
@settings(max_examples=300)
def test_changed_bytes(name: str, where: int, changes: list[tuple[int, int]]) -> None:
    lines = list(lines_of(name))
    number = where % len(lines)
    changed = bytearray(lines[number])
    for place, value in changes:
        changed[place % len(changed)] = value
    lines[number] = bytes(changed)
    assert at_least(tokens(lines), without(name, number))


@given(FILES, WHERE, WHERE)
@settings(max_examples=200)
def test_a_cut_line(name: str, where: int, cut: int) -> None:
    lines = list(lines_of(name))
    number = where % len(lines)
    lines[number] = lines[number][: cut % len(lines[number])]
    found = taken(lines)
    assert untouched(name, number, lanes(answered(found)))
    assert bool(found.skipped) == bool(lines[number].strip())


@given(FILES, WHERE)
def test_a_line_that_has_lost_its_end_and_its_line_break(name: str, where: int) -> None:
    lines = list(lines_of(name))
    number = where % (len(lines) - 1)
    lines[number : number + 2] = [lines[number][:-20] + lines[number + 1]]
    assert untouched(name, number, tokens(lines))


@given(FILES, st.lists(WHERE, max_size=20), st.randoms(use_true_random=False))
def test_repeated_and_shuffled_lines(name: str, again: list[int], order: random.Random) -> None:
    lines = list(lines_of(name))
    lines += [lines[number % len(lines)] for number in again]
    order.shuffle(lines)
    assert tokens(lines) == truth(name)


@given(FILES, st.lists(WHERE, max_size=20))
def test_repetition_adds_no_event(name: str, again: list[int]) -> None:
    lines = list(lines_of(name))
    more = [*lines, *(lines[number % len(lines)] for number in again)]
    first, second = taken(lines), taken(more)
    for one, other in zip(first.parts, second.parts, strict=True):
        assert one == other


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", [b"", b" ", b"\r\n", b"\n\n", b"\0\n"], ids=repr)
def test_other_ends_of_lines(name: str, end: bytes) -> None:
    found = taken_from(b"\xef\xbb\xbf" + b"".join(line + end for line in lines_of(name)), "/p/x.jsonl")
    assert lanes(answered(found)) == truth(name)


@given(FILES, WHERE, WHERE, WHERE)
def test_a_line_written_into_another(name: str, where: int, what: int, cut: int) -> None:
    lines = list(lines_of(name))
    number, other = where % len(lines), what % len(lines)
    place = cut % len(lines[number])
    lines[number] = lines[number][:place] + lines[other] + lines[number][place:]
    assert untouched(name, number, tokens(lines))


@given(FILES, FILES)
def test_two_sessions_in_one_file(one: str, other: str) -> None:
    mixed = [line for pair in zip(lines_of(one), lines_of(other), strict=False) for line in pair]
    short = min(len(lines_of(one)), len(lines_of(other)))
    assert tokens(mixed) == {**tokens(lines_of(one)[:short]), **tokens(lines_of(other)[:short])}


@given(FILES, WHERE, st.sampled_from([b"null", b"7", b'"x"', b"[]", b"{}", b"true", b"-1", b"1e999", rb'"\ud800"']))
@settings(max_examples=300)
def test_a_value_of_another_type(name: str, where: int, value: bytes) -> None:
    lines = list(lines_of(name))
    number = where % len(lines)
    line = lines[number]
    colons = [place for place in range(len(line)) if line[place : place + 2] == b'":']
    begin = colons[where % len(colons)] + 2
    # Up to the next comma or brace: often a whole value, else a broken line.
    end = min(place for place in (line.find(mark, begin) for mark in (b",", b"}")) if place > 0)
    lines[number] = line[:begin] + value + line[end:]
    assert at_least(tokens(lines), without(name, number))


@given(st.binary(max_size=400))
@settings(max_examples=300)
def test_bytes(data: bytes) -> None:
    taken_from(data)
