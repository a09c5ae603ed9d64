"""What every handler of the dashboard works with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar
from zoneinfo import ZoneInfo

from underspend.config import Settings
from underspend.core.holds import Holds
from underspend.reports.filters import Filter
from underspend.reports.periods import parse, zone
from underspend.web.address import base_url
from underspend.web.http import Request

if TYPE_CHECKING:
    from sqlalchemy import Engine

Result = TypeVar("Result")
MOST = 1_000


class Feed(Protocol):
    """Calls as they open and settle: `gateway.live.Live`."""

    def subscribe(self) -> AsyncIterator[Mapping[str, object]]:
        """Rows from now on."""
        ...


class Health(Protocol):
    """How the gateway is: `gateway.status.Status`."""

    def snapshot(self) -> dict[str, object]:
        """JSON-ready values."""
        ...


class BadQueryError(ValueError):
    """A query that makes no sense; the message says which part and what would do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The ledger, the running gateway, the store of its budgets and the present (µs since the epoch)."""

    engine: Engine
    live: Feed
    status: Health
    settings: Settings
    now: Callable[[], int]
    holds: Holds | None = None

    @property
    def tz(self) -> ZoneInfo | None:
        """The zone times are shown in; None is the machine's own."""
        return zone(self.settings.report.timezone or None)

    @property
    def url(self) -> str:
        """Where clients reach the gateway."""
        listening = str(self.status.snapshot().get("listening") or base_url(self.settings))
        return listening if "://" in listening else f"http://{listening}"

    async def read(self, report: Callable[..., Result], *args: object, **kwargs: object) -> Result:
        """Runs a report in a thread: the loop that forwards calls never waits for the database."""
        return await asyncio.to_thread(report, self.engine, *args, **kwargs)


def filter_of(site: Site, request: Request) -> Filter:
    """The filter of a query's `since`, `until`, `project`, `model`, `session`. Raises BadQueryError."""

    def instant(name: str, *, end: bool) -> int | None:
        if not request.query.get(name):
            return None
        try:
            return parse(request.query[name], now=site.now(), tz=site.tz, end=end)
        except ValueError as error:
            raise BadQueryError(f"{name}: {error}") from None

    named = {name: request.query.get(name) for name in ("project", "model", "session")}
    return Filter(since=instant("since", end=False), until=instant("until", end=True), **named)


def limit_of(request: Request, default: int) -> int:
    """The query's `limit`, 1 to 1000. Raises BadQueryError."""
    given = request.query.get("limit", str(default))
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= MOST:
        raise BadQueryError(f"limit: {given!r} is not a number from 1 to {MOST}")
    return int(given)
