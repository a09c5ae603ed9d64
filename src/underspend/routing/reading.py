"""A request's words, read once: what both its class and its features go by.

A reading holds text, so it lives only as long as it takes to class a request. Everything is in lower case and every run
of white space is one space, so that neither case nor layout changes what is read.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

READ_CHARS: Final = 2_000
"""What is read of a text: half of it from its head, half from its tail."""

_HEAD_TOKENS = 90
_TAIL_TOKENS = 60
_BEGIN = 3
_TOKEN = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")
_TOKEN_IN_ASCII = re.compile(r"[a-z]+|[0-9]+|[!-/:-@\[-^`{-~\x00-\x08\x0e-\x1b\x7f]")  # the same, of plain ASCII
_TYPESET = re.compile(r"\\(?:[a-z]{2,}|[\[(])|\$[^$\d .][^$]{0,80}\$|\$\d[\d.,]*\$|\$\$")
_PROGRAM = tuple(
    (word, re.compile(sign))
    for word, sign in (
        ("def ", r"def \w+ ?\("),
        ("class ", r"class \w+(?:\(\w*\))?:"),
        ("function ", r"function \w*\("),
        (" import ", r"from [\w.]+ import \w"),
        ("assert ", r"assert \w+\("),
        ("return ", r"return \w+[.(\[]"),
        ("select ", r"select [^.?!]{1,80} from \w"),
        ("import ", r"import \w+(?: as \w|;)"),
    )
)
"""Signs of a program, each with what any text has that shows it: to look for that alone is much quicker."""
_MARKS = ("`", "()", "_")


@cache
def _vocabulary() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_name("data").joinpath("words.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Signs:
    """Words and phrases that speak for something.

    `begun` are the phrases by how their second word begins, "" where that cannot be told; `begins` are its keys. No
    text has a phrase without a word that begins so, and that is quicker seen than the whole text is gone through.
    """

    words: frozenset[str]
    phrases: tuple[str, ...]
    begun: Mapping[str, tuple[str, ...]]
    begins: frozenset[str]

    def found(self, reading: Reading) -> bool:
        """Whether any of them is in a text."""
        return not self.words.isdisjoint(reading.words) or self.is_said(reading)

    def leads(self, reading: Reading) -> bool:
        """Whether any of the words is in a text's head or tail, or any of the phrases in its text."""
        return not self.words.isdisjoint(reading.ends) or self.is_said(reading)

    def count(self, reading: Reading) -> int:
        """How often they are in a text."""
        found, text = self.words & reading.words, reading.text
        words = sum([reading.counts[word] for word in found]) if found else 0
        return words + sum([text.count(phrase) for phrase in self._possible(reading)])

    def is_said(self, reading: Reading) -> bool:
        """Whether any of the phrases is in a text."""
        text = reading.text
        return any(phrase in text for phrase in self._possible(reading))

    def said(self, reading: Reading) -> int:
        """How many of the phrases are in a text."""
        text = reading.text
        return sum([phrase in text for phrase in self._possible(reading)])

    def _possible(self, reading: Reading) -> list[str]:
        if not self.begins:
            return []
        return [phrase for begin in self.begins & reading.begins for phrase in self.begun[begin]]


def signs(*path: str) -> Signs:
    """The words and phrases under a name of data/words.toml."""
    table = _vocabulary()
    for name in path:
        table = table[name]
    phrases, begun = tuple(table.get("phrases", ())), dict[str, tuple[str, ...]]()
    for phrase in phrases:
        begun[_begin(phrase)] = (*begun.get(_begin(phrase), ()), phrase)
    return Signs(frozenset(table.get("words", ())), phrases, begun, frozenset(begun))


def _begin(phrase: str) -> str:
    """How the second word of a phrase begins in any text that has it; "" where another may begin otherwise."""
    _, second, *more = *phrase.split(" "), "", ""
    is_whole = len(more) > 2  # noqa: PLR2004  # a third word, or a space behind the second
    return second[:_BEGIN] if is_whole or len(second) >= _BEGIN else ""


_ASKS = signs("requests").words
_BEFORE = frozenset(_vocabulary()["requests"]["before"])
_SEVERAL = signs("several")
_FORMAL = signs("formal")
_CODE = signs("code")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A text as the rules see it: plain, and in tokens (words, numbers, marks). Things are counted when asked for.

    `ends` are the words of its first 90 and last 60 tokens.
    """

    text: str
    tokens: tuple[str, ...]
    words: frozenset[str]
    ends: frozenset[str]

    @cached_property
    def begins(self) -> frozenset[str]:
        """How its words begin, as parted by spaces: the first three characters of each; and "", which all do."""
        return frozenset([*(each[:_BEGIN] for each in set(self.text.split(" "))), ""])

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each token occurs."""
        return Counter(self.tokens)

    @cached_property
    def asks(self) -> int:
        """How many things are asked for."""
        return _asks(self.tokens)

    @cached_property
    def several(self) -> int:
        """How much speaks for more than one thing being asked for, from 0 to 3."""
        return (self.asks > 1) + _SEVERAL.found(self) + (self.counts["and"] > 1)

    @cached_property
    def formal(self) -> int:
        """How often words of mathematics occur."""
        return _FORMAL.count(self)

    @cached_property
    def typeset(self) -> int:
        """How many formulas are marked up."""
        return len(_TYPESET.findall(self.text)) if "$" in self.text or "\\" in self.text else 0

    @cached_property
    def code(self) -> int:
        """How many signs of a program there are."""
        return _code(self)


def cut(text: str) -> str:
    """A text of at most 2,000 characters: all of it, or its head and its tail with the end of a line between."""
    if len(text) <= READ_CHARS:
        return text
    half = READ_CHARS // 2
    return f"{text[: half - 1]}\n{text[-half:]}"


def plain(text: str) -> str:
    """A text cut first, then in lower case, each run of white space one space."""
    return " ".join(cut(text).lower().split())


def read(text: str) -> Reading:
    """What is to be known of a text, of any length, in time that is bounded by the 2,000 characters looked at."""
    text = plain(text)
    tokens = tuple((_TOKEN_IN_ASCII if text.isascii() else _TOKEN).findall(text))
    words = frozenset(tokens)
    is_short = len(tokens) < _HEAD_TOKENS + _TAIL_TOKENS
    ends = words if is_short else frozenset(tokens[:_HEAD_TOKENS] + tokens[-_TAIL_TOKENS:])
    return Reading(text=text, tokens=tokens, words=words, ends=ends)


def _asks(tokens: tuple[str, ...]) -> int:
    asked = sum([1 for before, word in pairwise(tokens) if word in _ASKS and before in _BEFORE])
    return asked + (tokens[:1] != () and tokens[0] in _ASKS)


def _code(reading: Reading) -> int:
    """Signs of a program; names as programs write them count where there are three, and no formulas."""
    text = reading.text
    certain = _CODE.count(reading) + sum([1 for word, sign in _PROGRAM if word in text and sign.search(text)])
    names = 0 if "\\" in text else sum(map(text.count, _MARKS))
    return certain + max(0, names - 2)
