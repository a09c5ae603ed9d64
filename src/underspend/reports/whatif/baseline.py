"""A what-if held against one that was saved earlier: for a check on a pull request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from underspend.core.errors import ConfigError
from underspend.core.money import Money, from_usd, show
from underspend.reports.audit.layout import BOLD, LOUD, Line, prose
from underspend.reports.whatif.result import WhatIf
from underspend.reports.whatif.sections import percent

_POINT = 100
_SLACK = 2
"""Other traffic may save up to half a percentage point less before that counts as worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What an earlier run of `underspend whatif --json` said."""

    recorded: Money
    replayed: Money
    out_of_bounds: int
    steps: Mapping[str, Money]


def read_baseline(file: Path) -> Baseline:
    """The baseline in a file. Raises ConfigError for a file that is none."""
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
        return Baseline(
            recorded=_money(found["recorded_usd"]),
            replayed=_money(found["replayed_usd"]),
            out_of_bounds=int(found["sessions_out_of_bounds"]),
            steps={part["strategy"]: _money(part["step_usd"]) for part in found["policy"]},
        )
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, InvalidOperation) as error:
        mend = "Make one with: underspend whatif --json > FILE"
        raise ConfigError(where=file, problem=f"this is no baseline ({error})", mend=mend) from error


def _money(text: str) -> Money:
    return from_usd(Decimal(text))


def worse(made: WhatIf, before: Baseline) -> list[str]:
    """Why the policy is worse than the baseline's; empty where it is not.

    Over the same traffic: it costs more. Over other traffic: the share it saves is more than half a point smaller. In
    both: more sessions are out of bounds.
    """
    outcome = made.outcome
    said = []
    if outcome.recorded == before.recorded:
        if outcome.replayed > before.replayed:
            said.append(f"It costs {show(outcome.replayed - before.replayed)} more than the baseline.")
    elif before.recorded and outcome.recorded:
        lost = (before.recorded - before.replayed) * outcome.recorded - outcome.saved.expected * before.recorded
        if lost * _POINT * _SLACK > before.recorded * outcome.recorded:
            now = percent(outcome.saved.expected, outcome.recorded)
            was = percent(before.recorded - before.replayed, before.recorded)
            said.append(f"It saves {now} of its traffic, the baseline saved {was}.")
    out = sum(group.is_out_of_bounds for group in outcome.sessions)
    if out > before.out_of_bounds:
        said.append(f"{out:,} sessions are more than 2 % dearer, {before.out_of_bounds:,} in the baseline.")
    return said


def compared(made: WhatIf, before: Baseline) -> Iterator[Line]:
    """The comparison as text."""
    reasons = worse(made, before)
    yield Line("")
    yield from prose("Worse than the baseline." if reasons else "Not worse than the baseline.", style=BOLD)
    for reason in reasons:
        yield from prose(reason, style=LOUD)
    now = {part.name: part.step.expected for part in made.outcome.parts}
    for name in sorted(now.keys() | before.steps.keys()):
        change = now.get(name, 0) - before.steps.get(name, 0)
        if change:
            yield Line(f"  {name}: saves {show(abs(change))} {'more' if change > 0 else 'less'}")
