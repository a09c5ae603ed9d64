"""Which calls a report looks at, and the columns reports read them by."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, FromClause, func

from underspend.stores.schema import calls, sessions

OPEN = "open"
"""The `state` of a call whose end has not been recorded; it has cost nothing yet."""

MODEL: ColumnElement[str | None] = func.coalesce(calls.c.model_served, calls.c.model_sent, calls.c.model_asked)
"""The model that answered, or the one that would have."""

PROJECT: ColumnElement[str | None] = func.coalesce(calls.c.project, sessions.c.project)
"""The call's own project, else its session's. Needs `SOURCE`."""

SOURCE: FromClause = calls.outerjoin(sessions, calls.c.session == sessions.c.session)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Calls that began from `since` (inclusive) to `until` (exclusive), in microseconds since the epoch.

    `project` and `model` must be equal; `session` may be the beginning of an id. None asks for all.
    """

    since: int | None = None
    until: int | None = None
    project: str | None = None
    model: str | None = None
    session: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What to hand to `where` of a select from `SOURCE`; calls still open are left out."""
        found: list[ColumnElement[bool]] = [calls.c.state != OPEN]
        if self.since is not None:
            found.append(calls.c.started_at >= self.since)
        if self.until is not None:
            found.append(calls.c.started_at < self.until)
        if self.project is not None:
            found.append(PROJECT.is_not_distinct_from(self.project))
        if self.model is not None:
            found.append(MODEL.is_not_distinct_from(self.model))
        if self.session is not None:
            found.append(calls.c.session.startswith(self.session, autoescape=True))
        return found
