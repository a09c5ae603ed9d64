"""How alike two questions are by their letters alone: no model, no server, nothing to install.

The cosine of the two bags of three-letter pieces, words that say little left out. It knows no synonyms: it finds the
same question in other spellings, forms and order, and little else. Weights do not depend on the other questions, so
that a threshold stays what it was when questions are added.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import sqrt

from underspend.core.faq import MILLION

_WORD = re.compile(r"\w+")
_SAY_LITTLE = """a an the is are was were be
do does did can could would will shall should may might i you we they it my your our
me us to of in on at for and or please tell what how which who there this that hi hello thanks"""
_LITTLE = frozenset(_SAY_LITTLE.split())


class Lexical:
    """A Matcher."""

    name = "lexical-1"

    async def scores(self, question: str, known: Sequence[str]) -> Sequence[int]:
        """The similarity to each of the known questions."""
        asked, length = _bag(question)
        return [_cosine(asked, length, *_bag(each)) for each in known]

    async def close(self) -> None:
        """Nothing to let go of."""


def _cosine(one: Mapping[str, int], length: float, two: Mapping[str, int], other: float) -> int:
    if not length or not other:
        return 0
    if len(two) < len(one):
        one, two = two, one
    shared = sum(count * two[piece] for piece, count in one.items() if piece in two)
    return min(MILLION, round(MILLION * shared / (length * other)))


@lru_cache(maxsize=4096)
def _bag(question: str) -> tuple[Mapping[str, int], float]:
    """The pieces of a question with their counts, and the length of that vector."""
    plain = unicodedata.normalize("NFKD", question.casefold())
    letters = "".join(each for each in plain if not unicodedata.combining(each))
    words = _WORD.findall(letters)
    telling = [word for word in words if word not in _LITTLE] or words
    pieces = Counter(piece for word in telling for piece in _pieces(f" {word} "))
    return pieces, sqrt(sum(count * count for count in pieces.values()))


def _pieces(word: str) -> list[str]:
    return [word[at : at + 3] for at in range(len(word) - 2)]
