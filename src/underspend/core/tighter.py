"""A reserve learned from what calls of the kind have cost. An option, and what it gives up is said here.

A worst case is mostly output that is never written, so with it many calls at once find a budget full that is not. The
learned reserve is the share of its worst case that nearly all past calls stayed within. **With it a budget can be
passed**: by a call that costs more than it reserved, by the difference. At most `passing` says how far calls in flight
can go; nothing bounds how often. Without it a `block` budget is never passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from underspend.core.money import Money

_FINE = 10**9


def tighter(worst: Money, past: Sequence[tuple[Money, Money]], *, within: tuple[int, int] = (99, 100)) -> Money:
    """What to reserve for a call of this worst case; `past` are (worst case, actual cost) of calls of its kind.

    Where the next call is like those before (exchangeable), the chance that it costs no more than this is at least
    `within` (split conformal prediction: the ceil((n + 1) × within)-th smallest of n shares). Too few calls to say that
    of, 99 for 99 in 100, give the worst case itself. Never above the worst case.
    """
    shares = sorted(-(-actual * _FINE // most) for most, actual in past if most > 0)
    rank = -(-(len(shares) + 1) * within[0] // within[1])
    if rank > len(shares):
        return worst
    return min(worst, -(-worst * shares[rank - 1] // _FINE))


def passing(in_flight: Iterable[tuple[Money, Money]]) -> Money:
    """By how much calls in flight can pass their budgets together; each is (worst case, reserved)."""
    return sum(max(0, worst - reserved) for worst, reserved in in_flight)
