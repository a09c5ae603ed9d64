"""Alerts to an incoming webhook in Slack's format, which Mattermost, Discord (`/slack`) and others read."""

from __future__ import annotations

import json

from underspend.core.alerts import Alert, Severity
from underspend.integrations.alerts.post import SECONDS, post
from underspend.integrations.alerts.sending import Text, headline, message

_MARKS = {Severity.INFO: ":information_source:", Severity.WARNING: ":warning:", Severity.CRITICAL: ":rotating_light:"}
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "*": "∗", "`": "'"})


class Slack:
    """A channel."""

    def __init__(self, url: Text, *, seconds: float = SECONDS) -> None:
        self._url = url
        self._seconds = seconds

    def send(self, alert: Alert, now: int) -> None:
        """Deliver once. Raises NotSentError, ConfigError."""
        del now
        post(self._url(), body_of(alert), {"content-type": "application/json"}, seconds=self._seconds)


def body_of(alert: Alert) -> bytes:
    """The body. Nothing in an alert is read as a mention, a link or markup."""
    title, text = headline(alert).translate(_ESCAPED), message(alert).translate(_ESCAPED)
    return json.dumps({"text": f"{_MARKS[alert.severity]} *{title}*\n{text}"}).encode("ascii")
