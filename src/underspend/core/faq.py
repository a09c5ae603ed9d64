"""Answering a question with the reply to one that is alike: when that is sound, and when it is not.

A threshold is not chosen by taste. The user labels pairs of questions (may the one's answer serve the other?), and the
threshold is the lowest at which the share of wrong answers, bounded from above, stays under the user's limit. Shares,
similarities and limits are whole millionths (`ppm`), so that nothing here depends on rounding.

Sources: Clopper and Pearson 1934 for the exact bound; Bonferroni for looking at several thresholds in the same pairs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import comb
from typing import Protocol

MILLION = 1_000_000
_LOOKS = 16
"""At most so many thresholds are tried on one set of pairs; each is held to that part of the allowed error."""


class FaqMode(StrEnum):
    """`shadow` looks and records what it would have answered; `on` answers."""

    OFF = "off"
    SHADOW = "shadow"
    ON = "on"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two questions' similarity, and whether the user says that the answer of one serves the other."""

    score: int
    same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A threshold that holds for one matcher, and why.

    Of `hits` pairs at least as alike as `threshold`, `wrong` were not the same; with confidence `confidence` the share
    of wrong answers is at most `bound`, which is not above `limit`. `found` is the share of the pairs that are the
    same which it would have answered.
    """

    matcher: str
    threshold: int
    limit: int
    confidence: int
    bound: int
    hits: int
    wrong: int
    pairs: int
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TooFew:
    """No threshold can be shown to hold: `needed` pairs above it, none of them wrong, are the least that could."""

    pairs: int
    needed: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaqEntry:
    """A question and its answer. `answer` is a kept reply, or the text that the user wrote where it is `curated`.

    It serves calls of `tenant` ("*" is everybody, for curated ones only) and, where `frame` is not empty, only those
    that are the same around the question. It is learned until `expires_at`; a curated one stays.
    """

    id: str
    tenant: str
    frame: bytes
    question: str
    answer: bytes
    curated: bool
    made_at: int
    expires_at: int

    def serves(self, tenant: str, frame: bytes, now: int) -> bool:
        """Whether it may answer a question of a tenant now."""
        is_theirs = self.tenant == tenant or (self.curated and self.tenant == "*")
        is_alike = self.frame == frame or (self.curated and self.frame == b"")
        return is_theirs and is_alike and (self.curated or self.expires_at > now)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaqHit:
    """A question that was answered by an entry, or would have been (`served` False): the audit's row.

    `label` is the user's word on whether the entry's answer was right, None where there is none yet.
    """

    id: int
    entry: str
    at: int
    score: int
    served: bool
    matcher: str
    asked: str
    question: str
    tenant: str
    label: bool | None = None


class Matcher(Protocol):
    """How alike questions are. `name` says all that the similarities depend on, so that thresholds stay with it."""

    name: str

    async def scores(self, question: str, known: Sequence[str]) -> Sequence[int]:
        """The similarity of a question to each of those known, in millionths. Raises ReplyStoreError."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether similar questions are answered now (`mode`), above which similarity, and why not where they are not."""

    mode: FaqMode
    threshold: int
    why: str = ""


def calibrate(pairs: Sequence[Pair], *, matcher: str, limit: int, confidence: int = 950_000) -> Calibration | TooFew:
    """The lowest threshold at which the share of wrong answers is at most `limit`, with this confidence.

    Thresholds are taken from the similarities alone, before the labels are looked at. The bound holds for questions
    drawn as the pairs were: label pairs of real questions and the entries nearest to them, as shadow mode records.
    """
    if not 0 < limit < MILLION or not 0 < confidence < MILLION:
        raise ValueError("a limit and a confidence are above 0 and below 1,000,000 millionths")
    error = (MILLION - confidence, MILLION * _LOOKS)
    needed = fewest(limit, error)
    if len(pairs) < needed:
        return TooFew(pairs=len(pairs), needed=needed, why=f"{needed - len(pairs)} more pairs are needed at the least")
    ordered = sorted(pairs, key=lambda pair: -pair.score)
    all_same = sum(pair.same for pair in ordered)
    for threshold in _thresholds([pair.score for pair in ordered], needed):
        taken = [pair for pair in ordered if pair.score >= threshold]
        wrong = sum(not pair.same for pair in taken)
        if holds(wrong, len(taken), limit, error):
            return Calibration(
                matcher=matcher,
                threshold=threshold,
                limit=limit,
                confidence=confidence,
                bound=upper_bound(wrong, len(taken), error),
                hits=len(taken),
                wrong=wrong,
                pairs=len(ordered),
                found=MILLION * (len(taken) - wrong) // max(1, all_same),
            )
    return TooFew(
        pairs=len(pairs),
        needed=needed,
        why="too many of the most alike pairs are not the same; label more, or use another matcher",
    )


def standing(
    wanted: FaqMode, *, matcher: str, limit: int, calibration: Calibration | None, shadow_threshold: int = 500_000
) -> Standing:
    """What the user's wish comes to: `on` without a threshold that was shown to hold is `shadow`."""
    if wanted is FaqMode.OFF:
        return Standing(FaqMode.OFF, MILLION)
    if calibration is None:
        return Standing(FaqMode.SHADOW, shadow_threshold, "no threshold has been calibrated")
    if calibration.matcher != matcher:
        return Standing(FaqMode.SHADOW, shadow_threshold, f"the threshold was calibrated for {calibration.matcher}")
    if calibration.bound > limit:
        return Standing(FaqMode.SHADOW, calibration.threshold, "the threshold was calibrated for a looser limit")
    if wanted is FaqMode.SHADOW:
        return Standing(FaqMode.SHADOW, min(shadow_threshold, calibration.threshold))
    return Standing(FaqMode.ON, calibration.threshold)


def fewest(limit: int, error: tuple[int, int]) -> int:
    """How many pairs without a wrong one it takes to show that the share of wrong ones is at most `limit`."""
    low, high = 0, 1
    while not holds(0, high, limit, error):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(0, middle, limit, error) else (middle, high)
    return high


def holds(wrong: int, of: int, limit: int, error: tuple[int, int]) -> bool:
    """Whether so few wrong ones of so many would come, were the share above `limit`, with at most this probability.

    That is the same as Clopper and Pearson's upper bound being at most `limit`. `error` is a fraction.
    """
    right = MILLION - limit
    ways = 0
    for n in range(wrong + 1):
        ways += comb(of, n) * int(limit**n) * int(right ** (of - n))
    everything: int = MILLION**of
    return ways * error[1] <= error[0] * everything


def upper_bound(wrong: int, of: int, error: tuple[int, int]) -> int:
    """Clopper and Pearson's upper bound of a share, rounded up to millionths."""
    low, high = 0, MILLION
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(wrong, of, middle, error) else (middle, high)
    return high


_PARTICULAR = re.compile(r"\d+(?:[.,:/-]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_NEGATIONS = """no not never none nor cannot without nobody nothing neither isn't aren't wasn't weren't don't doesn't
didn't can't couldn't won't wouldn't shouldn't mustn't haven't hasn't hadn't nicht kein keine keinen nie ohne non pas
sans jamais sin nunca não nem"""
_OPPOSITES = """enable disable off start stop add remove before after allow deny block unblock open close increase
decrease min max minimum maximum first last down out buy sell import export encrypt decrypt install uninstall
subscribe unsubscribe left upgrade downgrade login logout more less"""
# Of two opposites of which one is a common preposition ("log in"), the other is enough.
_TELLING = frozenset((*_NEGATIONS.split(), *_OPPOSITES.split()))


def particulars(question: str) -> tuple[str, ...]:
    """The numbers, negations and words with an opposite in a question, in order.

    Where these differ, so does what is asked, however alike the questions are.
    """
    words = (found.group().replace("’", "'").casefold() for found in _PARTICULAR.finditer(question))
    return tuple(word for word in words if word[0].isdigit() or word in _TELLING)


def _thresholds(scores: Sequence[int], needed: int) -> list[int]:
    """At most `_LOOKS` similarities to try, the lowest first; at least `needed` pairs are as alike as each."""
    steps = [needed - 1 + (len(scores) - needed) * n // max(1, _LOOKS - 1) for n in range(_LOOKS)]
    return sorted({scores[at] for at in steps})
