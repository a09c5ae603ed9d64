"""A what-if as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from underspend.reports.audit.layout import BOLD, QUIET, Line, grid, heading, prose
from underspend.reports.whatif import sections
from underspend.reports.whatif.result import WhatIf

_FIXES = 3


def text(made: WhatIf) -> Iterator[Line]:
    """The whole of it."""
    yield from prose(sections.headline(made), style=BOLD)
    yield from prose(sections.bounds(made), style=QUIET)
    if made.parts:
        yield Line("")
        yield from grid(*sections.waterfall(made))
        yield from heading("By project")
        yield from grid(*sections.projects(made))
        yield from heading(sections.verdict(made))
        yield from grid(*sections.hurt(made))
    yield from _findings(made)
    yield Line("")
    for note in sections.notes(made):
        yield from prose(note, style=QUIET)
    config = made.policy.config()
    if config:
        yield from heading("This policy, for config.toml:")
        yield from (Line(f"  {line}" if line else "") for line in config.splitlines())


def _findings(made: WhatIf) -> Iterator[Line]:
    columns, rows = sections.more(made)
    if rows:
        yield from _savings(made, columns, rows)
    for finding in [each for each in made.shown if not each.amount and each.rows]:
        yield from heading(finding.title)
        yield from prose(finding.why, style=QUIET)
        yield from grid(*sections.evidence(finding.rows))


def _savings(made: WhatIf, columns: Sequence[tuple[str, str]], rows: list[list[str]]) -> Iterator[Line]:
    yield from heading("What else would have saved money (these overlap: do not add them up)")
    yield from grid(columns, rows)
    for finding in [each for each in made.findings if each.amount > 0 and each.fix][:_FIXES]:
        yield Line("")
        yield from prose(finding.title, style=BOLD)
        yield from prose(finding.why, indent=2, style=QUIET)
        yield from (Line(f"  {line}") for line in finding.fix.splitlines())
