"""What else a request shows, as hashed features for the residual to learn from: its shape in steps, and its words.

A feature is an integer below `SPACE`; odd ones are words and pairs of words, even ones are steps of the shape. They are
CRC-32 hashes, so they are the same in every process. A step is passed or not (a text of 500 characters has passed 45,
68, … 342), which lets a linear model follow a curve without knowing the range of a number beforehand.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import pairwise
from typing import Final
from zlib import crc32

from underspend.routing.beliefs import Asked
from underspend.routing.classes import class_of
from underspend.routing.reading import Reading, read

SPACE: Final = 1 << 17
"""Features are below this."""

_WORDS_EACH_END = 110
_HALF = SPACE // 2 - 1
_POWER = re.compile(r"10 ?(?:\^|\*\*) ?\{? ?(\d{1,2})")
_BELOW = ("<", "≤", "le", "leq")


def _steps(start: float, ratio: float, count: int) -> tuple[float, ...]:
    return tuple(start * ratio**power for power in range(count))


_FEW = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_SHARES = (0.01, 0.02, 0.04, 0.06, 0.08, 0.11, 0.14, 0.18, 0.22, 0.27, 0.33, 0.4, 0.5)
_SCALES: Final[dict[str, tuple[float, ...]]] = {
    "text": _steps(30, 1.5, 18),
    "prompt": _steps(60, 1.5, 18),
    "besides": _steps(100, 1.6, 14),
    "per tool": _steps(100, 1.6, 12),
    "words": _steps(5, 1.5, 12),
    "different": (0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95),
    "word length": (3, 3.4, 3.7, 4, 4.2, 4.4, 4.6, 4.8, 5, 5.3, 5.6, 6, 7),
    "digits": _SHARES,
    "numbers": _FEW,
    "different numbers": _FEW,
    "longest number": (1, 2, 3, 4, 5, 6, 7, 9, 12),
    "$": _FEW,
    "\\": _FEW,
    ",": _FEW,
    ".": _FEW,
    "?": (1, 2, 3),
    "%": (1, 2, 3, 4),
    "quotes": _FEW,
    "operators": _FEW,
    "[": _FEW,
    "(": _FEW,
    "nesting": (1, 2, 3, 4, 5),
    "and": (1, 2, 3, 4, 6, 8),
    "or": (1, 2, 3),
    "loops": (1, 2, 3, 4, 6),
    "conditions": (1, 2, 3, 4, 6),
    "all": (1, 2, 3, 4),
    "times": (1, 2, 3, 4),
    "powers": (1, 2, 3, 4, 6, 8, 12),
    "least power": (1, 2, 3, 4, 5, 6, 9, 12),
    "greatest power": (1, 2, 3, 4, 5, 6, 9, 12, 18),
    "letters": _FEW,
    "different letters": (1, 2, 3, 4, 5, 6, 8, 10, 13),
    "bounds": (1, 2, 3, 4, 6, 8, 12, 16, 24),
    "asks": (1, 2, 3, 4, 6),
    "several": (1, 2, 3),
    "formal": (1, 2, 3, 5, 8),
    "typeset": (1, 3, 6, 12),
    "code": (1, 2, 4, 8, 16),
    "tools": (1, 2, 3, 4, 6, 8, 12, 20),
    "turns": (2, 3, 5, 8, 13, 21, 34),
    "pictures": (1, 2, 4),
    "output": _steps(256, 2, 8),
    "thinking": (1,),
    "schema": (1,),
}
"""The numbers of a request's shape, and the steps of each."""


def feature(name: str, *, word: bool) -> int:
    """The feature of a name, the same in every process."""
    return (crc32(name.encode()) & _HALF) << 1 | word


_LADDERS = tuple(
    (steps, tuple(feature(f"{name} from {step:g}", word=False) for step in steps)) for name, steps in _SCALES.items()
)


LADDERS: Final = tuple(ids for _, ids in _LADDERS)
"""The features of each number of the shape, one for each of its steps."""


def features(asked: Asked) -> tuple[int, ...]:
    """The features of what is asked, each once: steps of its shape first, then its words and pairs of words.

    At most about 750; what is not among the first and last 110 words of a text has none.
    """
    return features_of(asked, read(asked.text))


def describe(asked: Asked) -> tuple[str, tuple[int, ...]]:
    """The class of what is asked, and its features: its text is read once for both."""
    reading = read(asked.text)
    return class_of(asked, reading), features_of(asked, reading)


def features_of(asked: Asked, reading: Reading) -> tuple[int, ...]:
    """As `features`, of a text that is read already."""
    passed: list[int] = []
    for value, (steps, ids) in zip(_shape(asked, reading), _LADDERS, strict=True):
        if value >= steps[0]:
            passed += ids[: bisect_right(steps, value)]
    passed += _words(reading)
    return tuple(dict.fromkeys(passed))


def _shape(asked: Asked, reading: Reading) -> tuple[float, ...]:
    """The numbers of `_SCALES`, in its order."""
    besides = max(0, asked.prompt_chars - asked.text_chars)
    return (
        max(asked.text_chars, len(reading.text)),
        asked.prompt_chars,
        besides,
        besides / asked.tools if asked.tools else 0,
        *_wording(reading),
        *_marks(reading),
        *_little_words(reading),
        *_bounds(reading),
        reading.asks,
        reading.several,
        reading.formal,
        reading.typeset,
        reading.code,
        asked.tools,
        asked.turns,
        asked.images + asked.documents,
        asked.max_output,
        asked.thinking,
        asked.structured,
    )


def _wording(reading: Reading) -> tuple[float, ...]:
    words = [token for token in reading.tokens if token.isalpha()]
    numbers = [token for token in reading.tokens if token.isdigit()]
    return (
        len(words),
        len(set(words)) / len(words) if words else 0,
        len("".join(words)) / len(words) if words else 0,
        len("".join(numbers)) / len(reading.text) if numbers else 0,
        len(numbers),
        len(set(numbers)),
        max(map(len, numbers), default=0),
    )


def _marks(reading: Reading) -> tuple[int, ...]:
    count = reading.counts
    depth = deepest = 0
    for mark in reading.tokens:
        if mark in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in ")]}":
            depth -= 1
    operators = sum([count[mark] for mark in "+*/=<>^-"])
    quotes = count["'"] + count['"']
    return (
        *(count[mark] for mark in ("$", "\\", ",", ".", "?", "%")),
        quotes,
        operators,
        count["["],
        count["("],
        deepest,
    )


def _little_words(reading: Reading) -> tuple[int, ...]:
    count = reading.counts
    return (
        count["and"],
        count["or"],
        count["for"] + count["while"],
        count["if"],
        count["each"] + count["every"] + count["all"] + count["both"],
        count["times"] + count["twice"] + count["half"] + count["more"] + count["less"],
    )


def _bounds(reading: Reading) -> tuple[int, ...]:
    """How large things may be: the powers of ten, what is named by a letter, and how often one is below another."""
    powers = [int(power) for power in _POWER.findall(reading.text)] if "10" in reading.words else []
    letters = [token for token in reading.tokens if len(token) == 1 and token.isalpha()]
    below = sum([reading.counts[mark] for mark in _BELOW])
    return len(powers), min(powers, default=0), max(powers, default=0), len(letters), len(set(letters)), below


def _words(reading: Reading) -> list[int]:
    """Words and pairs of neighbours, from both ends of a text."""
    tokens = reading.tokens
    if len(tokens) > 2 * _WORDS_EACH_END:
        tokens = tokens[:_WORDS_EACH_END] + tokens[-_WORDS_EACH_END:]
    hashes = [crc32(token.encode()) for token in tokens]
    found = [(one & _HALF) << 1 | 1 for one in hashes]
    found += [(((one * 31) ^ two) & _HALF) << 1 | 1 for one, two in pairwise(hashes)]
    return found
