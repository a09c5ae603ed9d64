"""The parts of a what-if as rows of text, for the terminal, Markdown and HTML alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from underspend.audit.whatif import Group, Saving
from underspend.core.evidence import Evidence
from underspend.core.money import Money, show
from underspend.reports.whatif.result import WhatIf

Table = tuple[Sequence[tuple[str, str]], list[list[str]]]
"""Columns as (heading, "l" or "r"), and rows of text."""

_WORST, _PROJECTS = 5, 10
_BASIS = 10_000


def headline(made: WhatIf) -> str:
    """One line: what was paid, what it would have been, what that saves."""
    outcome = made.outcome
    if not outcome.saved.expected:
        return f"{show(outcome.recorded)} as recorded; this policy would have changed nothing of it"
    word = "saved" if outcome.saved.expected > 0 else "dearer"
    return (
        f"{show(outcome.recorded)} as recorded, {show(outcome.replayed)} with this policy:"
        f" {show(abs(outcome.saved.expected))} {word} ({percent(abs(outcome.saved.expected), outcome.recorded)})"
    )


def bounds(made: WhatIf) -> str:
    """How sure that is."""
    outcome, saved = made.outcome, made.outcome.saved
    weakest = Evidence.SIMULATED
    for part in made.parts:
        weakest = weakest.weaker(part.evidence)
    text = f"{outcome.calls:,} calls replayed. {weakest.value.capitalize()}: between {show(saved.low)} and"
    text += f" {show(saved.high)} saved."
    if outcome.missed:
        text += (
            f" {percent(outcome.missed, outcome.warm)} of the tokens that the rules held to be cached were billed anew;"
            " they are here too."
        )
    return text


def waterfall(made: WhatIf) -> Table:
    """From the recorded bill to the policy's."""
    parts = {part.name: part for part in made.parts}
    rows = []
    for name, off, left in made.waterfall:
        part = parts.get(name)
        detail = ["", "", "", "", ""]
        if part is not None:
            deeds = part.deeds
            detail = [
                show(part.alone.expected),
                show(part.last.expected),
                f"{deeds.edits:,}",
                show(deeds.rewrites) if deeds.rewrites else "",
                part.evidence.value,
            ]
        rows.append([name, signed(-off) if off or part is not None else "", show(left), *detail])
    columns = (
        ("", "l"),
        ("change", "r"),
        ("bill", "r"),
        ("alone", "r"),
        ("last", "r"),
        ("edits", "r"),
        ("rewrites", "r"),
        ("evidence", "l"),
    )
    return columns, rows


def projects(made: WhatIf) -> Table:
    """The dearest projects."""
    return _groups("project", made.outcome.projects[:_PROJECTS])


def hurt(made: WhatIf) -> Table:
    """The sessions that became dearer most, by share."""
    return _groups("session", made.hurt[:_WORST])


def _groups(name: str, groups: Sequence[Group]) -> Table:
    columns = ((name, "l"), ("calls", "r"), ("recorded", "r"), ("policy", "r"), ("saved", "r"), ("share", "r"))
    rows = [
        [
            group.name or "—",
            f"{group.calls:,}",
            show(group.recorded),
            show(group.replayed),
            show(group.saved),
            percent(group.saved, group.recorded),
        ]
        for group in groups
    ]
    return columns, rows


def more(made: WhatIf) -> Table:
    """What else would have saved money."""
    columns = (("would save", "r"), ("what", "l"), ("evidence", "l"), ("confidence", "l"))
    rows = [
        [show(finding.amount), finding.title.rpartition(": ")[0], finding.evidence.value, finding.confidence.value]
        for finding in made.findings
        if finding.amount > 0
    ]
    return columns, rows


def notes(made: WhatIf) -> list[str]:
    """What is left to say: assumptions, faults, what is not in the figures."""
    outcome = made.outcome
    said = [
        f"Taken for granted: {each.text}." + (f" Source: {each.source}." if each.source else " No source is known.")
        for each in made.assumptions
    ]
    if made.idle:
        said.append(f"On, and found nothing to do: {', '.join(made.idle)}.")
    for name, faults in outcome.faults.items():
        said += [
            f"{name} failed in {count:,} calls, which went on without it: {fault}." for fault, count in faults.items()
        ]
    if outcome.left_out:
        said.append(
            f"Not replayed, since a record does not tell what they would have done: {', '.join(outcome.left_out)}."
        )
    if outcome.unpriced:
        models = ", ".join(f"{model} ({count:,})" for model, count in sorted(outcome.unpriced.items()))
        said.append(f"Without a known price, and in no figure: {models}.")
    said.append("Dollars are API prices: on a subscription they are only an equivalent.")
    if not made.tried:
        said.append("Other strategies and habits were not tried on so many calls: add --each.")
    return said


def verdict(made: WhatIf) -> str:
    """Whether any session was hurt."""
    if not made.hurt:
        return "No session would have been dearer."
    out = sum(group.is_out_of_bounds for group in made.outcome.sessions)
    text = f"{len(made.hurt):,} of {len(made.outcome.sessions):,} sessions would have been dearer"
    return text + (f", {out:,} of them by more than 2 %:" if out else ", none by more than 2 %:")


def percent(part: Money, whole: Money) -> str:
    """A share with one decimal, with a real minus sign."""
    if not whole:
        return "—"
    tenths = (abs(part) * _BASIS // whole + 5) // 10
    sign = "−" if part < 0 and tenths else ""
    return f"{sign}{tenths // 10}.{tenths % 10} %"


def signed(amount: Money) -> str:
    """A change of the bill: with its sign."""
    return f"+{show(amount)}" if amount > 0 else show(amount)


def span(saving: Saving) -> str:
    """A saving with its range, where there is one."""
    if saving.low == saving.high:
        return show(saving.expected)
    return f"{show(saving.expected)} ({show(saving.low)} to {show(saving.high)})"


def evidence(rows: Sequence[Mapping[str, str | int]]) -> Table:
    """A finding's rows: figures to the right, words to the left."""
    names = list(rows[0]) if rows else []
    sides = ["l" if str(rows[0][name])[:1].isalpha() else "r" for name in names]
    return list(zip(names, sides, strict=True)), [[cell(row.get(name, "")) for name in names] for row in rows]


def cell(value: str | int) -> str:
    """A value of a finding's row as text."""
    return f"{value:,}" if isinstance(value, int) else value
