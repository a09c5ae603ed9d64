"""One kind of group as a table of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from underspend.audit.totals import Totals
from underspend.core.money import Money, show
from underspend.core.usage import Lane
from underspend.reports import figures
from underspend.reports.audit.layout import Line, grid

Lines = Iterator[Line]

_TOP = 10


def spent(totals: Totals) -> str:
    """The dollars, and that some are missing where some are."""
    return f"{show(totals.cost)} + {figures.UNPRICED}" if totals.unpriced else show(totals.cost)


def table_of(
    title: str, groups: Mapping[str, Totals], whole: Money, *, top: int = _TOP, names: Sequence[str] = ()
) -> Lines:
    """One kind of group as a table, the rest of it in one line; `names` orders the rows where dollars should not."""
    kept = [(name, groups[name]) for name in names] or list(groups.items())
    rows = [_group_row(name, each, whole) for name, each in kept[:top]]
    if len(kept) > top:
        rest = Totals()
        for _, each in kept[top:]:
            rest.merge(each)
        rows.append(_group_row(f"{len(kept) - top:,} more", rest, whole))
    columns = [(title, "l"), ("replies", "r"), ("fresh", "r"), ("written", "r"), ("read", "r"), ("output", "r")]
    yield Line("")
    yield from grid([*columns, ("paid", "r"), ("share", "r")], rows)


def _group_row(name: str, each: Totals, whole: Money) -> list[str]:
    tokens = each.tokens
    written = tokens[Lane.CACHE_WRITE_5M.value] + tokens[Lane.CACHE_WRITE_1H.value]
    counts = (tokens[Lane.INPUT.value], written, tokens[Lane.CACHE_READ.value], tokens[Lane.OUTPUT.value])
    cells = [figures.tokens(count) if count else "·" for count in counts]
    return [name or "—", f"{each.requests:,}", *cells, spent(each), figures.share(each.cost, whole)]
