"""A what-if as one HTML file: its own styles, the waterfall as SVG, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from underspend.core.money import Money, show
from underspend.reports.whatif import sections
from underspend.reports.whatif.result import BASELINE, TOTAL, WhatIf

_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1d2327, #e8eaed); --quiet: light-dark(#5f6b73, #9aa5ad);
  --paper: light-dark(#fff, #16191c); --rule: light-dark(#dfe3e6, #2c3237); --bar: light-dark(#8a97a0, #6d7982);
  --good: light-dark(#1a7f5a, #4cc38a); --bad: light-dark(#b3372f, #f0817a); }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 980px;
  margin: 40px auto; padding: 0 20px; }
h1 { font-size: 22px; line-height: 1.3; } h2 { font-size: 17px; margin-top: 34px; }
h3 { font-size: 15px; margin-bottom: 2px; }
p { max-width: 75ch; } .quiet { color: var(--quiet); font-size: 13px; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--quiet); font-weight: 500; } th, td { padding: 4px 14px 4px 0; white-space: nowrap; }
tr + tr td { border-top: 1px solid var(--rule); } .r { text-align: right; }
pre { background: color-mix(in srgb, var(--rule) 45%, transparent); border-radius: 6px; padding: 10px 14px;
  font-size: 13px; overflow-x: auto; user-select: all; }
svg { width: 100%; min-width: 620px; height: auto; } svg text { fill: var(--ink); font-size: 13px; }
svg .q { fill: var(--quiet); }
"""
_WIDTH, _ROW, _LEFT, _RIGHT = 940, 30, 190, 110


def html(made: WhatIf) -> str:
    """The whole page."""
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>What if: {escape(sections.headline(made))}</title>\n<style>{_STYLE}</style>\n<main>\n"
        + "\n".join(_parts(made))
        + "\n</main>\n</html>\n"
    )


def _parts(made: WhatIf) -> Iterator[str]:
    yield f"<h1>{escape(sections.headline(made))}</h1>"
    yield f'<p class="quiet">{escape(sections.bounds(made))}</p>'
    if made.parts:
        yield _chart(made.waterfall)
        yield _table(sections.waterfall(made))
        yield f"<h2>By project</h2>{_table(sections.projects(made))}"
        yield f"<h2>Sessions</h2><p>{escape(sections.verdict(made))}</p>"
        if made.hurt:
            yield _table(sections.hurt(made))
    yield from _findings(made)
    notes = sections.notes(made)
    if notes:
        yield "<h2>Notes</h2>" + "".join(f'<p class="quiet">{escape(note)}</p>' for note in notes)
    config = made.policy.config()
    if config:
        yield f"<h2>As config.toml</h2><pre>{escape(config)}</pre>"


def _findings(made: WhatIf) -> Iterator[str]:
    if made.shown:
        yield "<h2>What else would have saved money</h2><p>These overlap: do not add them up.</p>"
    for finding in made.shown:
        yield f"<h3>{escape(finding.title)}</h3><p>{escape(finding.why)}</p>"
        if finding.rows:
            yield _table(sections.evidence(finding.rows))
        if finding.fix:
            yield f"<pre>{escape(finding.fix)}</pre>"


def _table(made: sections.Table) -> str:
    columns, rows = made
    sides = ['class="r"' if side == "r" else "" for _, side in columns]
    head = "".join(f"<th {side}>{escape(name)}</th>" for (name, _), side in zip(columns, sides, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td {side}>{escape(cell)}</td>" for cell, side in zip(row, sides, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _chart(rows: Sequence[tuple[str, Money, Money]]) -> str:
    """The waterfall: whole bills as bars from the left, each strategy's part where it was taken off."""
    most = max(max(left, left + off) for _, off, left in rows) or 1
    room = _WIDTH - _LEFT - _RIGHT
    bars = []
    for number, (name, off, left) in enumerate(rows):
        y = number * _ROW
        is_whole = name in {BASELINE, TOTAL} and number in {0, len(rows) - 1}
        start, end = (0, left) if is_whole else sorted((left, left + off))
        x, width = _LEFT + start * room // most, max(1, (end - start) * room // most)
        fill = "--bar" if is_whole else "--good" if off >= 0 else "--bad"
        figure = show(left) if is_whole else sections.signed(-off)
        bars.append(
            f'<text x="0" y="{y + 19}">{escape(name)}</text>'
            f'<rect x="{x}" y="{y + 5}" width="{width}" height="{_ROW - 11}" rx="2" style="fill: var({fill})"/>'
            f'<text class="q" x="{_WIDTH}" y="{y + 19}" text-anchor="end">{escape(figure)}</text>'
        )
    said = escape("; ".join(f"{name} {show(left)}" for name, _, left in rows))
    box = f'viewBox="0 0 {_WIDTH} {len(rows) * _ROW}" role="img" aria-label="{said}"'
    return f'<div class="wide"><svg {box}>{"".join(bars)}</svg></div>'
