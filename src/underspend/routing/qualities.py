"""How well a step went, by the signs that were seen of it."""

from __future__ import annotations

from underspend.core.signs import Sign

_QUALITY = {
    Sign.CHECK_PASSED: (1.0, 0.7),
    Sign.CHECK_FAILED: (0.0, 0.5),
    Sign.REJECTED: (0.0, 0.7),
    Sign.REPEATED: (0.0, 0.8),
    Sign.MALFORMED: (0.0, 0.9),
    Sign.REFUSED: (0.0, 1.0),
    Sign.CUT_SHORT: (0.0, 0.8),
}


def quality_of(signs: frozenset[Sign]) -> tuple[float, float] | None:
    """How well it went, from 0 to 1, and how much that may be trusted (a weight from 0 to 1); None without a sign.

    A check that fails while a model works is often one that it meant to fail, so it weighs little alone. The sign that
    weighs most decides; of failures and a pass in one step the failure does.
    """
    if not signs:
        return None
    failures = [_QUALITY[sign] for sign in signs if sign is not Sign.CHECK_PASSED]
    return max(failures, key=lambda found: found[1]) if failures else _QUALITY[Sign.CHECK_PASSED]
