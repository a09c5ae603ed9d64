"""What was told of late and what is paused, for the overview."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from underspend.core.money import from_usd, show
from underspend.reports import figures
from underspend.reports.periods import clock_time
from underspend.web.site import Site

_MOST = 6


def told(status: dict[str, Any], site: Site) -> list[dict[str, object]]:
    """The latest alerts of a status, newest first, as a table's rows."""
    recent = (status.get("alerts") or {}).get("recent") or []
    return [
        {
            "when": clock_time(each["at"], site.tz).strftime("%d %b %H:%M"),
            "kind": each["kind"].replace("_", " "),
            "severity": each["severity"],
            "about": each["subject"],
            "words": each["words"],
            "dollars": show(from_usd(each["usd"])) if each["usd"] else figures.NONE,
            "guessed": each["evidence"] not in (None, "billed"),
        }
        for each in recent[:_MOST]
    ]


def paused(status: dict[str, Any], site: Site) -> list[dict[str, object]]:
    """What is paused, as warnings of the page."""
    return [_pause(each, site) for each in status.get("pauses") or ()]


def _pause(pause: dict[str, Any], site: Site) -> dict[str, object]:
    whose = f"session {figures.short(pause['session'])}" if pause["session"] else "all calls"
    until = clock_time(pause["until"], site.tz).strftime("%H:%M")
    named = figures.short(pause["session"]) if pause["session"] else "--all"
    mend = Markup("<code>underspend alerts resume {}</code>").format(named)
    return {"kind": "bad", "text": f"paused until {until}: {whose}. {pause['words']}", "mend": mend}
