"""Columns in time, stacked by lane of the bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from underspend.core.money import Money, show
from underspend.reports.figures import exact
from underspend.reports.lanes import LANE_NAMES
from underspend.reports.sums import COST_LANES
from underspend.web.charts.markup import element

_TALL = 1000
_WIDE = 100
_FILL = 76
_STEPS = (1, 2, 5, 10)
_MOST_TICKS = 5
_MOST_LABELS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: a short name for the axis, a full one, a link, and dollars by lane (pico-dollars)."""

    name: str
    title: str
    href: str
    lanes: Mapping[str, Money]
    calls: int | None = None

    @property
    def total(self) -> Money:
        """All lanes together."""
        return sum(self.lanes.values())


def lane_stack(columns: Sequence[Column], *, label: str) -> Markup:
    """The chart as HTML: an axis in dollars, one link per column with its figures as name and tooltip."""
    ticks = axis(max((column.total for column in columns), default=0))
    top = ticks[-1]
    marks = [_column(column, index, top) for index, column in enumerate(columns)]
    svg = element(
        "svg",
        *marks,
        viewBox=f"0 0 {max(1, len(columns)) * _WIDE} {_TALL}",
        preserveAspectRatio="none",
        role="group",
        aria_label=label,
    )
    lines = [
        element(
            "span",
            element("b", exact(tick).removesuffix(".00")),
            class_="grid-line",
            style=f"bottom:{100 * tick / top:.2f}%",
        )
        for tick in ticks
    ]
    plot = element("div", *lines, svg, class_="plot")
    return element("div", plot, _names(columns), class_="stack")


def axis(most: Money) -> list[Money]:
    """Round tick marks from 0 to at least `most`, at most six: steps of 1, 2 or 5 times a power of ten dollars."""
    if most <= 0:
        return [0, 10**12]
    power = 10 ** (len(str(most // _MOST_TICKS or 1)) - 1)
    step = next(n * power for n in _STEPS if n * power * _MOST_TICKS >= most)
    return [step * n for n in range(-(-most // step) + 1)]


def _column(column: Column, index: int, top: Money) -> Markup:
    left = index * _WIDE
    marks = [element("rect", x=left, y=0, width=_WIDE, height=_TALL, class_="hit")]
    at = float(_TALL)
    for lane in reversed(COST_LANES):
        amount = column.lanes.get(lane, 0)
        if amount <= 0:
            continue
        height = _TALL * amount / top
        at -= height
        inset = (_WIDE - _FILL) / 2
        marks.append(element("rect", x=left + inset, y=at, width=_FILL, height=height, class_=f"lane-{lane}"))
    said = _said(column)
    return element("a", *marks, href=column.href, aria_label=said.replace("\n", ", "), data_tip=said)


def _said(column: Column) -> str:
    lines = [f"{column.title}: {show(column.total)} paid"]
    if column.calls is not None:
        lines.append(f"{column.calls:,} call{'s' if column.calls != 1 else ''}")
    lines += [f"{LANE_NAMES[lane]} {show(column.lanes[lane])}" for lane in COST_LANES if column.lanes.get(lane, 0)]
    return "\n".join(lines)


def _names(columns: Sequence[Column]) -> Markup:
    """Names under some columns, evenly spaced and always under the last."""
    every = -(-len(columns) // _MOST_LABELS) if columns else 1
    names = [
        element(
            "span",
            column.name,
            style=f"left:{100 * (index + 0.5) / len(columns):.2f}%",
        )
        for index, column in enumerate(columns)
        if (len(columns) - 1 - index) % every == 0
    ]
    return element("div", *names, class_="names", aria_hidden="true")
