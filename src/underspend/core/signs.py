"""What shows that a model did, or did not do, what it was asked: only what somebody has checked."""

from __future__ import annotations

from enum import StrEnum


class Sign(StrEnum):
    """One thing seen. That a task took many steps, or a user sounds cross, is none."""

    CHECK_PASSED = "check_passed"
    CHECK_FAILED = "check_failed"
    REJECTED = "rejected"
    REPEATED = "repeated"
    MALFORMED = "malformed"
    REFUSED = "refused"
    CUT_SHORT = "cut_short"


MEANING = {
    Sign.CHECK_PASSED: "a test, a linter or a type checker passed after an edit",
    Sign.CHECK_FAILED: "a test, a linter or a type checker failed after an edit",
    Sign.REJECTED: "the user rejected what the model wanted to do",
    Sign.REPEATED: "the same call failed again",
    Sign.MALFORMED: "a tool was called with what it does not take",
    Sign.REFUSED: "the model refused",
    Sign.CUT_SHORT: "the reply ran into its limit",
}
"""In words for the user."""

_QUALITY = {
    Sign.CHECK_PASSED: (1.0, 0.7),
    Sign.CHECK_FAILED: (0.0, 0.5),
    Sign.REJECTED: (0.0, 0.7),
    Sign.REPEATED: (0.0, 0.8),
    Sign.MALFORMED: (0.0, 0.9),
    Sign.REFUSED: (0.0, 1.0),
    Sign.CUT_SHORT: (0.0, 0.8),
}

CERTAIN = frozenset({Sign.REFUSED, Sign.MALFORMED, Sign.REPEATED})
"""Failures that need no second one to be believed: a stronger model may take over at once."""


def quality_of(signs: frozenset[Sign]) -> tuple[float, float] | None:
    """How well it went, from 0 to 1, and how much that may be trusted (a weight from 0 to 1); None without a sign.

    A check that fails while a model works is often one that it meant to fail, so it weighs little alone. The sign that
    weighs most decides; of failures and a pass in one step the failure does.
    """
    if not signs:
        return None
    failures = [_QUALITY[sign] for sign in signs if sign is not Sign.CHECK_PASSED]
    return max(failures, key=lambda found: found[1]) if failures else _QUALITY[Sign.CHECK_PASSED]
