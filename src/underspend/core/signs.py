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

CERTAIN = frozenset({Sign.REFUSED, Sign.MALFORMED, Sign.REPEATED})
"""Failures that need no second one to be believed: a stronger model may take over at once."""
