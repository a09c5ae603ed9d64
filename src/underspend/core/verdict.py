"""What watching calls comes to: nothing, a warning, or that it had better stop."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from underspend.core.alerts import Alert, Kind, Severity
from underspend.core.evidence import Evidence
from underspend.core.money import Money


class Level(StrEnum):
    """What is advised. `pause` is advice too: whether it is taken is the user's setting."""

    NONE = "none"
    WARN = "warn"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One thing seen. `dollars` is what it has cost so far in pico-dollars; `session` and `agent` say whose it is.

    `key` is equal for verdicts on the same thing, `at` in microseconds since the epoch. `words` say how sure it is.
    """

    level: Level
    kind: Kind
    words: str
    key: str
    at: int
    session: str | None = None
    agent: str | None = None
    dollars: Money | None = None
    evidence: Evidence | None = None

    def alert(self) -> Alert:
        """The verdict as something to tell: a warning, or critical where pausing is advised."""
        whose = f"session {self.session}" if self.session else "all calls"
        return Alert(
            kind=self.kind,
            subject=f"{whose}, agent {self.agent}" if self.agent else whose,
            severity=Severity.CRITICAL if self.level is Level.PAUSE else Severity.WARNING,
            words=self.words,
            at=self.at,
            dollars=self.dollars,
            evidence=self.evidence,
            key=self.key,
        )
