"""Time zones for budgets' windows: their offset at an instant, from the system's rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from underspend.core.errors import ConfigError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class IanaZone:
    """A `core.windows.Zone` by IANA name; without rules it is the machine's own."""

    name: str
    rules: ZoneInfo | None

    def offset(self, at: int) -> int:
        """Microseconds ahead of UTC at an instant."""
        ahead = (_EPOCH + timedelta(microseconds=at)).astimezone(self.rules).utcoffset()
        return (ahead or timedelta()) // _MICROSECOND


def budget_zone(name: str) -> IanaZone:
    """The zone of an IANA name; the machine's own for "". Raises ConfigError for a name that is not known."""
    if not name:
        return IanaZone("local time", None)
    try:
        return IanaZone(name, ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        mend = "Use an IANA name such as Europe/Berlin, or leave it out for this machine's own."
        raise ConfigError(where=f"time zone {name}", problem="this zone is not known", mend=mend) from error
