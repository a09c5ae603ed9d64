"""A prompt as one bar: each block as wide as its tokens, in the colour of the lane it was billed in."""

from __future__ import annotations

from markupsafe import Markup

from underspend.core.usage import Lane
from underspend.reports.anatomy import Anatomy, Placed
from underspend.reports.figures import share, tokens
from underspend.reports.lanes import LANE_NAMES
from underspend.web.charts.markup import element

_LONG = 10_000
_GAP = 8


def prompt_bar(prompt: Anatomy) -> Markup:
    """The bar, and under it the mark where the part read from the cache ends."""
    total = prompt.total or 1
    marks, at = [], 0
    for number, block in enumerate(prompt.blocks, 1):
        marks.append(_mark(block, number, at, total))
        at += block.tokens
    svg = element(
        "svg",
        *marks,
        viewBox=f"0 0 {_LONG} 1",
        preserveAspectRatio="none",
        role="img",
        aria_label=_said(prompt),
    )
    return element("div", svg, *_boundary(prompt, total), class_="prompt-bar")


def _mark(block: Placed, number: int, at: int, total: int) -> Markup:
    lane = block.lane.value if block.lane else "unknown"
    width = _LONG * block.tokens / total
    named = f"{number}. {block.piece.label}\n{block.piece.section} · {block.piece.kind}\n{tokens(block.tokens)} tokens"
    if block.lane:
        named += f", {LANE_NAMES[lane]}"
    if block.piece.breakpoint:
        named += f"\nbreakpoint {block.piece.breakpoint}"
    shown = max(width - _GAP, width / 2)
    return element("rect", x=_LONG * at / total, y=0, width=shown, height=1, class_=f"lane-{lane}", data_tip=named)


def _boundary(prompt: Anatomy, total: int) -> list[Markup]:
    if not prompt.cached_until:
        return []
    read = sum(block.tokens for block in prompt.blocks if block.lane is Lane.CACHE_READ)
    place = 100 * read / total
    side = "before" if place > 50 else "after"  # noqa: PLR2004  # the half of the bar with room for the words
    words = f"cached until here: {tokens(read)} tokens, {share(read, total)}"
    return [element("span", element("b", words), class_=f"boundary {side}", style=f"left:{place:.2f}%")]


def _said(prompt: Anatomy) -> str:
    if prompt.usage is None:
        return f"{len(prompt.blocks)} blocks, about {tokens(prompt.total)} tokens"
    parts = [f"{tokens(prompt.usage.lane(lane))} {LANE_NAMES[lane]}" for lane in Lane if lane is not Lane.OUTPUT]
    return f"{len(prompt.blocks)} blocks, {tokens(prompt.total)} tokens: {', '.join(parts)}"
