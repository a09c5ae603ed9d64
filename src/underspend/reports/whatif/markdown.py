"""A what-if as Markdown, for a pull request or a wiki."""

from __future__ import annotations

from underspend.reports.audit.markdown import escaped, table
from underspend.reports.whatif import sections
from underspend.reports.whatif.result import WhatIf


def markdown(made: WhatIf) -> str:
    """The whole text."""
    parts = [f"# {escaped(sections.headline(made))}", escaped(sections.bounds(made))]
    if made.parts:
        parts += [_table(sections.waterfall(made)), "## By project", _table(sections.projects(made))]
        parts += ["## Sessions", escaped(sections.verdict(made))]
        if made.hurt:
            parts.append(_table(sections.hurt(made)))
    parts += _findings(made)
    notes = sections.notes(made)
    if notes:
        parts += ["## Notes", "\n".join(f"- {escaped(note)}" for note in notes)]
    config = made.policy.config()
    if config:
        parts += ["## As config.toml", f"```toml\n{config}```"]
    return "\n\n".join(parts) + "\n"


def _table(made: sections.Table) -> str:
    columns, rows = made
    return table([name or " " for name, _ in columns], rows)


def _findings(made: WhatIf) -> list[str]:
    if not made.shown:
        return []
    parts = ["## What else would have saved money", "These overlap: do not add them up."]
    for finding in made.shown:
        parts.append(f"### {escaped(finding.title)}")
        parts.append(f"{escaped(finding.why)} *{finding.evidence.value}, confidence {finding.confidence.value}*")
        if finding.rows:
            names = list(finding.rows[0])
            parts.append(table(names, [[sections.cell(row.get(name, "")) for name in names] for row in finding.rows]))
        if finding.fix:
            parts.append(f"```\n{finding.fix}\n```")
    return parts
