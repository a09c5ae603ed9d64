"""Which replies an audit looks at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from underspend.audit.bills import Billed
from underspend.core.history import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which replies to look at: from `since` (inclusive) to `until` (exclusive) in µs; None asks for all.

    `project` is its name or its directory; `model` as billed or as named; `session` the beginning of an id.
    """

    since: int | None = None
    until: int | None = None
    project: str | None = None
    model: str | None = None
    session: str | None = None

    def timelines(self, lines: Iterable[Timeline]) -> list[Timeline]:
        """The chosen timelines, cut to the chosen time."""
        kept = [line for line in lines if self._is_of(line)]
        if self.since is None and self.until is None:
            return kept
        cut = (replace(line, events=[event for event in line.events if self._is_when(event.at)]) for line in kept)
        return [line for line in cut if line.events]

    def is_chosen(self, each: Billed) -> bool:
        """Whether a reply of a chosen timeline is of the chosen model and time."""
        return self._is_when(each.reply.at) and self.model in {None, each.model, each.reply.metered.model}

    def _is_of(self, line: Timeline) -> bool:
        if self.project is not None and self.project not in {line.project, line.directory}:
            return False
        return self.session is None or line.session.startswith(self.session)

    def _is_when(self, at: int) -> bool:
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    @property
    def is_part(self) -> bool:
        """Whether only a part of each session is looked at, which its own total could not be held against."""
        return self.since is not None or self.until is not None or self.model is not None
