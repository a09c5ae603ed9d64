"""All that a what-if says, gathered once for every form it is shown in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from underspend.audit.replay.assumptions import Assumption
from underspend.audit.replay.taken import taken_for_granted
from underspend.audit.whatif import Group, Outcome, Part
from underspend.audit.whatif_policy import Policy
from underspend.core.advisor import Finding, Urgency
from underspend.core.money import Money

TOTAL, BASELINE = "with this policy", "as recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """A policy, what it would have cost, what else was found. `tried` is False where only the policy was replayed."""

    policy: Policy
    outcome: Outcome
    findings: Sequence[Finding] = ()
    tried: bool = True

    @property
    def parts(self) -> list[Part]:
        """The strategies that are on and did something, in order."""
        return [part for part in self.outcome.parts if part.deeds.edits or part.alone.expected]

    @property
    def idle(self) -> list[str]:
        """The strategies that are on and found nothing to do."""
        return [part.name for part in self.outcome.parts if part not in self.parts]

    @property
    def waterfall(self) -> list[tuple[str, Money, Money]]:
        """From the recorded bill to the policy's: what it is called, what it takes off, what is left."""
        left = self.outcome.recorded
        rows = [(BASELINE, 0, left)]
        for part in self.parts:
            left -= part.step.expected
            rows.append((part.name, part.step.expected, left))
        return [*rows, (TOTAL, self.outcome.saved.expected, self.outcome.replayed)]

    @property
    def shown(self) -> list[Finding]:
        """The findings worth a reader's time: what saves, and what only informs."""
        return [each for each in self.findings if each.amount > 0 or each.urgency is Urgency.FYI]

    @property
    def assumptions(self) -> Sequence[Assumption]:
        """What was taken for granted, as far as it mattered."""
        return taken_for_granted(part.deeds for part in (*self.outcome.parts, *self.outcome.others))

    @property
    def hurt(self) -> list[Group]:
        """The sessions that became dearer, the worst by share of their bill first."""
        dearer = [group for group in self.outcome.sessions if group.saved < 0]
        return sorted(dearer, key=lambda group: (group.saved * 10**6 // max(group.recorded, 1), group.name))
