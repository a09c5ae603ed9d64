"""After how many calls a compaction, or a fresh start, has paid for itself: a curve over the size of the context."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low

from underspend.audit.replay.traffic import Asked, Traffic
from underspend.core.advisor import Confidence, Finding, Urgency
from underspend.core.call import Role
from underspend.core.evidence import Evidence
from underspend.core.history import Mark, MarkKind
from underspend.core.money import Money, show
from underspend.core.ports import Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """At a context of `size` tokens: the calls after which each has paid for itself, and how often talks go on so long.

    `went_on` are how many of the user's main conversations that reached the size made at least as many more calls as
    the compaction needs, `reached` how many there were. A `calls` of None: never.
    """

    size: int
    clear: int | None
    compact: int | None
    saves_a_call: Money
    reached: int
    went_on: int


def break_even(traffic: Traffic, levels: Iterable[int]) -> Finding | None:
    """The curve as a finding without dollars; None where there is no main conversation with a price."""
    talks = list(_talks(traffic).values())
    model = _usual(talks)
    if model is None:
        return None
    last = max(asked.recorded.call.time for talk in talks for asked in talk)
    front = median_low(talk[0].recorded.base[0].tokens for talk in talks)
    kept = _after_compactions(talks)
    points = []
    for size in levels:
        rates = traffic.prices.rates(model, last, size)
        if rates is not None and size > (kept or front) and any(_largest(talk) >= size for talk in talks):
            points.append(_point(talks, rates, size, front, kept))
    return _finding(points, model, kept) if points else None


def _talks(traffic: Traffic) -> dict[int, list[Asked]]:
    found: dict[int, list[Asked]] = {}
    for asked in traffic.calls:
        if asked.counted and asked.recorded.call.identity.role is Role.MAIN:
            found.setdefault(asked.recorded.row, []).append(asked)
    return found


def _largest(talk: Sequence[Asked]) -> int:
    return max(asked.recorded.call.prompt_tokens for asked in talk)


def _usual(talks: Sequence[Sequence[Asked]]) -> str | None:
    used = Counter(asked.recorded.call.model for talk in talks for asked in talk if not asked.paid.unpriced)
    return min(used, key=lambda model: (-used[model], model), default=None)


def _after_compactions(talks: Sequence[Sequence[Asked]]) -> int | None:
    """How large the prompts were that followed the user's own compactions."""
    sizes = [
        asked.recorded.call.prompt_tokens
        for talk in talks
        for asked in talk
        if any(isinstance(event, Mark) and event.kind is MarkKind.COMPACTION for event in asked.recorded.step.between)
    ]
    return median_low(sizes) if sizes else None


def _point(talks: Sequence[Sequence[Asked]], rates: Rates, size: int, front: int, kept: int | None) -> Point:
    write, read = rates.cache_write_5m, rates.cache_read
    compact = None
    if kept is not None:
        summary = max(kept - front, 0)
        # The request for a summary reads the whole context; the summary is paid for as output, then written.
        price = size * read + summary * (rates.output or 0) + summary * write
        compact = _calls(price, (size - kept) * read)
    # What a fresh start keeps (tools, system prompt) is warm; the next prompt would be new in any case.
    clear = _calls(0, (size - front) * read)
    left = [_calls_after(talk, size) for talk in talks if _largest(talk) >= size]
    needed = compact if compact is not None else clear
    return Point(
        size=size,
        clear=clear,
        compact=compact,
        saves_a_call=(size - (kept or front)) * read,
        reached=len(left),
        went_on=sum(needed is not None and calls >= needed for calls in left),
    )


def _calls(price: Money, saves: Money) -> int | None:
    return -(-price // saves) if saves > 0 else None


def _calls_after(talk: Sequence[Asked], size: int) -> int:
    first = next(at for at, asked in enumerate(talk) if asked.recorded.call.prompt_tokens >= size)
    return len(talk) - first - 1


def _finding(points: Sequence[Point], model: str, kept: int | None) -> Finding:
    after = f"yours left {kept:,} tokens in the middle" if kept is not None else "there is none of yours to go by"
    return Finding(
        id="whatif/break-even",
        urgency=Urgency.FYI,
        title="After how many calls a compaction has paid for itself, by the size of the context",
        amount=0,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=(
            f"At the prices of {model}, for a warm prompt. A compaction reads the whole context once more, and pays for"
            f" its summary as output and as a write ({after}); /clear keeps only what stands before the messages. After"
            " a pause longer than the cache's lifetime both are free: all of it is written again in any case."
        ),
        fix="",
        rows=list(_rows(points)),
    )


def _rows(points: Iterable[Point]) -> Iterator[Mapping[str, str | int]]:
    for point in points:
        yield {
            "context": point.size,
            "a call then costs more": show(point.saves_a_call),
            "/clear pays after": "at once" if point.clear == 0 else "never",
            "/compact pays after": "—" if point.compact is None else f"{point.compact} calls",
            "yours that went on so long": f"{point.went_on} of {point.reached}",
        }
