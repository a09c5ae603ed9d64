"""Alerts on the desktop: `notify-send`, `osascript` or PowerShell, whichever the machine has. Never through a shell.

An alert's text is data to all of them: an argument after the options, an item of the script's `argv`, a variable of
the environment. None of it is ever part of a script.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from underspend.core.alerts import Alert, Severity
from underspend.integrations.alerts.sending import TITLE, NotSentError, headline, message

SECONDS = 10.0
_URGENCY = {Severity.INFO: "low", Severity.WARNING: "normal", Severity.CRITICAL: "critical"}
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_APPLE = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)
_TITLE, _TEXT = "UNDERSPEND_ALERT_TITLE", "UNDERSPEND_ALERT_TEXT"
_WINDOWS = (
    "$ErrorActionPreference='Stop';"
    "[Windows.UI.Notifications.ToastNotificationManager,Windows.UI.Notifications,ContentType=WindowsRuntime]>$null;"
    "$x=[Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent(1);"
    "$t=$x.GetElementsByTagName('text');"
    f"$t.Item(0).AppendChild($x.CreateTextNode($env:{_TITLE}))>$null;"
    f"$t.Item(1).AppendChild($x.CreateTextNode($env:{_TEXT}))>$null;"
    "$n=[Windows.UI.Notifications.ToastNotification]::new($x);"
    "$a='{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe';"
    "[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($a).Show($n)"
)


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, and what is added to its environment."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]


class Desktop:
    """The desktop of this machine. `platform` is `sys.platform`'s word."""

    def __init__(self, *, platform: str = sys.platform, seconds: float = SECONDS) -> None:
        self._platform = platform
        self._seconds = seconds

    def send(self, alert: Alert, now: int) -> None:
        """Show it. Raises NotSentError where the program is missing, fails or hangs."""
        del now
        command = command_of(alert, self._platform)
        program = shutil.which(command.arguments[0])
        if program is None:
            raise NotSentError(f"{command.arguments[0]} is not installed", again=False)
        try:
            done = subprocess.run(  # noqa: S603  # our own words; the alert's text is data to the program
                [program, *command.arguments[1:]],
                env={**os.environ, **command.environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=self._seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NotSentError(f"{command.arguments[0]} took more than {self._seconds:g} s", again=False) from None
        except OSError as error:
            raise NotSentError(f"{command.arguments[0]} cannot be run ({error.strerror})", again=False) from None
        if done.returncode:
            raise NotSentError(f"{command.arguments[0]} ended with {done.returncode}", again=False)


def command_of(alert: Alert, platform: str) -> Command:
    """What shows an alert on a platform."""
    title, text = headline(alert), message(alert)
    if platform == "darwin":
        script = [word for line in _APPLE for word in ("-e", line)]
        return Command(("osascript", *script, title, text), {})
    if platform == "win32":
        options = ("-NoProfile", "-NonInteractive", "-WindowStyle", "Hidden", "-Command", _WINDOWS)
        return Command(("powershell.exe", *options), {_TITLE: title, _TEXT: text})
    urgency = _URGENCY[alert.severity]
    arguments = ("notify-send", f"--app-name={TITLE}", f"--urgency={urgency}", "--", title, text.translate(_ESCAPED))
    return Command(arguments, {})
