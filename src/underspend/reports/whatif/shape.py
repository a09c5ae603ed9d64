"""A what-if as JSON. Dollars are exact decimal strings."""

from __future__ import annotations

from typing import Any

from underspend.audit.whatif import Group, Part, Saving
from underspend.core.advisor import Finding
from underspend.core.money import Money, to_usd
from underspend.reports.whatif.result import WhatIf

VERSION = 1
_SESSIONS = 20

Shape = dict[str, Any]


def whatif_shape(made: WhatIf) -> Shape:
    """All of it; docs/whatif.md says what each part is."""
    outcome = made.outcome
    states = {step.strategy.name: step.state.value for step in made.policy.steps}
    return {
        "schema": VERSION,
        "calls": outcome.calls,
        "recorded_usd": usd(outcome.recorded),
        "replayed_usd": usd(outcome.replayed),
        "saved_usd": _saving(outcome.saved),
        "policy": [_part(part, states) for part in outcome.parts],
        "waterfall": [{"name": name, "saved_usd": usd(off), "usd": usd(left)} for name, off, left in made.waterfall],
        "others": [_part(part, states) for part in outcome.others],
        "projects": [_group(group) for group in outcome.projects],
        "worst_sessions": [_group(group) for group in made.hurt[:_SESSIONS]],
        "sessions": len(outcome.sessions),
        "sessions_dearer": len(made.hurt),
        "sessions_out_of_bounds": sum(group.is_out_of_bounds for group in outcome.sessions),
        "findings": [_finding(finding) for finding in made.findings],
        "assumptions": [
            {"name": each.name, "text": each.text, "source": each.source or None} for each in made.assumptions
        ],
        "tried_others": made.tried,
        "not_replayed": list(outcome.left_out),
        "unpriced": dict(outcome.unpriced),
        "warm_tokens": outcome.warm,
        "missed_tokens": outcome.missed,
        "config": made.policy.config(),
    }


def usd(amount: Money) -> str:
    """Exact dollars in plain digits."""
    return f"{to_usd(amount):f}"


def _saving(saving: Saving) -> Shape:
    return {"low": usd(saving.low), "expected": usd(saving.expected), "high": usd(saving.high)}


def _part(part: Part, states: dict[str, str]) -> Shape:
    return {
        "strategy": part.name,
        "state": states.get(part.name),
        "step_usd": usd(part.step.expected),
        "alone_usd": _saving(part.alone),
        "last_usd": _saving(part.last),
        "edits": part.deeds.edits,
        "calls_edited": part.deeds.calls,
        "made_again": part.deeds.repeated,
        "rewrites_usd": usd(part.deeds.rewrites),
        "evidence": part.evidence.value,
        "faults": dict(part.deeds.faults),
    }


def _group(group: Group) -> Shape:
    return {
        "name": group.name,
        "project": group.project,
        "calls": group.calls,
        "recorded_usd": usd(group.recorded),
        "replayed_usd": usd(group.replayed),
        "saved_usd": usd(group.saved),
    }


def _finding(finding: Finding) -> Shape:
    return {
        "id": finding.id,
        "urgency": finding.urgency.value,
        "title": finding.title,
        "usd": usd(finding.amount),
        "confidence": finding.confidence.value,
        "evidence": finding.evidence.value,
        "why": finding.why,
        "fix": finding.fix,
        "rows": [dict(row) for row in finding.rows],
    }
