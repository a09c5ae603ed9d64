"""A thin bar in a table: how a row's dollars fall into lanes, its length by the dearest row."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from underspend.core.money import Money
from underspend.reports.figures import share
from underspend.reports.lanes import LANE_NAMES
from underspend.reports.sums import COST_LANES
from underspend.web.charts.markup import element

_LONG = 1000


def lane_bar(lanes: Mapping[str, Money], *, of: Money) -> Markup:
    """An SVG of the lanes' dollars; the whole width stands for `of`. Its name says each lane's part."""
    whole = sum(lanes.values())
    at, marks = 0.0, []
    for lane in COST_LANES:
        amount = lanes.get(lane, 0)
        if amount > 0 and of > 0:
            width = _LONG * amount / of
            marks.append(element("rect", x=at, y=0, width=width, height=1, class_=f"lane-{lane}"))
            at += width
    parts = ", ".join(
        f"{LANE_NAMES[lane]} {share(lanes[lane], whole)}" for lane in COST_LANES if lanes.get(lane, 0) > 0
    )
    return element(
        "svg",
        *marks,
        class_="lane-bar",
        viewBox=f"0 0 {_LONG} 1",
        preserveAspectRatio="none",
        role="img",
        aria_label=parts or "no dollars",
        data_tip=parts.replace(", ", "\n") or None,
    )
