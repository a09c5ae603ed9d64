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
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

READ_CHARS: Final = 2_000
"""What is read of a text: half of it from its head, half from its tail."""

_HEAD_TOKENS = 90
_TAIL_TOKENS = 60
_TOKEN = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")
_TYPESET = re.compile(r"\\(?:[a-z]{2,}|[\[(])|\$[^$\d .][^$]{0,80}\$|\$\d[\d.,]*\$|\$\$")
_PROGRAM = tuple(
    re.compile(sign)
    for sign in (
        r"def \w+ ?\(",
        r"class \w+(?:\(\w*\))?:",
        r"function \w*\(",
        r"from [\w.]+ import \w",
        r"assert \w+\(",
        r"return \w+[.(\[]",
        r"select [^.?!]{1,80} from \w",
        r"import \w+(?: as \w|;)",
    )
)
_MARKS = ("`", "()", "_")


@cache
def _vocabulary() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_name("data").joinpath("words.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Signs:
    """Words and phrases that speak for something."""

    words: frozenset[str]
    phrases: tuple[str, ...]

    def found(self, reading: Reading) -> bool:
        """Whether any of them is in a text."""
        return not self.words.isdisjoint(reading.words) or any(phrase in reading.text for phrase in self.phrases)

    def leads(self, reading: Reading) -> bool:
        """Whether any of the words is in a text's head or tail, or any of the phrases in its text."""
        return not self.words.isdisjoint(reading.ends) or any(phrase in reading.text for phrase in self.phrases)

    def count(self, reading: Reading) -> int:
        """How often they are in a text."""
        counts, text = reading.counts, reading.text
        return sum([counts[word] for word in self.words & reading.words]) + sum(map(text.count, self.phrases))


def signs(*path: str) -> Signs:
    """The words and phrases under a name of data/words.toml."""
    table = _vocabulary()
    for name in path:
        table = table[name]
    return Signs(frozenset(table.get("words", ())), tuple(table.get("phrases", ())))


_ASKS = signs("requests").words
_BEFORE = frozenset(_vocabulary()["requests"]["before"])
_SEVERAL = signs("several")
_FORMAL = signs("formal")
_CODE = signs("code")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A text as the rules see it: plain, in tokens (words, numbers, marks), and what was counted in it.

    `ends` are the words of its first 90 and last 60 tokens. `asks` is how many things are asked for, `several` from 0
    to 3 how much speaks for more than one, `formal` how often words of mathematics occur, `typeset` how many formulas
    are marked up, `code` how many signs of a program there are.
    """

    text: str
    tokens: tuple[str, ...]
    words: frozenset[str]
    ends: frozenset[str]
    counts: Counter[str]
    asks: int = 0
    several: int = 0
    formal: int = 0
    typeset: int = 0
    code: int = 0


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
    tokens = tuple(_TOKEN.findall(text))
    words = frozenset(tokens)
    bare = Reading(
        text=text,
        tokens=tokens,
        words=words,
        ends=words
        if len(tokens) < _HEAD_TOKENS + _TAIL_TOKENS
        else frozenset(tokens[:_HEAD_TOKENS] + tokens[-_TAIL_TOKENS:]),
        counts=Counter(tokens),
    )
    asks = _asks(tokens)
    return Reading(
        text=text,
        tokens=tokens,
        words=words,
        ends=bare.ends,
        counts=bare.counts,
        asks=asks,
        several=(asks > 1) + _SEVERAL.found(bare) + (bare.counts["and"] > 1),
        formal=_FORMAL.count(bare),
        typeset=len(_TYPESET.findall(text)),
        code=_code(bare),
    )


def _asks(tokens: tuple[str, ...]) -> int:
    asked = sum([1 for before, word in pairwise(tokens) if word in _ASKS and before in _BEFORE])
    return asked + (tokens[:1] != () and tokens[0] in _ASKS)


def _code(reading: Reading) -> int:
    """Signs of a program; names as programs write them count where there are three, and no formulas."""
    text = reading.text
    certain = _CODE.count(reading) + sum([1 for sign in _PROGRAM if sign.search(text)])
    names = 0 if "\\" in text else sum(map(text.count, _MARKS))
    return certain + max(0, names - 2)
