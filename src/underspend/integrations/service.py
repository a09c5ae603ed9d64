"""Keeping the gateway running: a service of the user's own session manager, which starts it again when it dies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from underspend.core.errors import SettingsError

_UNIT = """\
[Unit]
Description=Underspend, a gateway that meters Claude

[Service]
ExecStart="{python}" -m underspend up --quiet
{environment}Restart=always
RestartSec=1

[Install]
WantedBy=default.target
"""

_PLIST = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key><string>dev.underspend.gateway</string>
  <key>ProgramArguments</key>
  <array><string>{python}</string><string>-m</string><string>underspend</string><string>up</string></array>
{environment}  <key>KeepAlive</key><true/>
  <key>RunAtLoad</key><true/>
</dict>
</plist>
"""


@dataclass(frozen=True, slots=True)
class Service:
    """The service's file and the commands that start it and take it away."""

    path: Path
    text: str
    start: tuple[tuple[str, ...], ...]
    stop: tuple[tuple[str, ...], ...]


def service(environ: Mapping[str, str], *, platform: str = sys.platform, python: str = sys.executable) -> Service:
    """The service for this platform. Raises SettingsError where there is none."""
    home = Path(environ.get("HOME", "~")).expanduser()
    folder = environ.get("UNDERSPEND_HOME", "")
    if platform == "darwin":
        return _launchd(home, folder, python)
    if platform.startswith("linux"):
        return _systemd(Path(environ.get("XDG_CONFIG_HOME") or home / ".config"), folder, python)
    raise SettingsError(path=platform, problem="there is no service for this platform", mend="Use `underspend up`.")


def _systemd(base: Path, folder: str, python: str) -> Service:
    systemctl = ("systemctl", "--user")
    said = f'Environment="UNDERSPEND_HOME={folder}"\n' if folder else ""
    return Service(
        base / "systemd" / "user" / "underspend.service",
        _UNIT.format(python=python, environment=said),
        start=((*systemctl, "daemon-reload"), (*systemctl, "enable", "--now", "underspend.service")),
        stop=((*systemctl, "disable", "--now", "underspend.service"),),
    )


def _launchd(home: Path, folder: str, python: str) -> Service:
    variables = f"<dict><key>UNDERSPEND_HOME</key><string>{escape(folder)}</string></dict>"
    said = f"  <key>EnvironmentVariables</key>{variables}\n" if folder else ""
    path = home / "Library" / "LaunchAgents" / "dev.underspend.gateway.plist"
    domain = f"gui/{os.getuid()}"
    return Service(
        path,
        _PLIST.format(python=escape(python), environment=said),
        start=(("launchctl", "bootstrap", domain, str(path)),),
        stop=(("launchctl", "bootout", domain, str(path)),),
    )


def install(made: Service) -> None:
    """Write the service's file and start it. Raises SettingsError, with the file gone again, where that fails."""
    made.path.parent.mkdir(parents=True, exist_ok=True)
    made.path.write_text(made.text, encoding="utf-8")
    try:
        for command in made.start:
            _run(command, made.path)
    except SettingsError:
        made.path.unlink()
        raise


def remove(made: Service) -> bool:
    """Stop the service and take its file away. Returns whether there was one."""
    if not made.path.exists():
        return False
    try:
        for command in made.stop:
            _run(command, made.path)
    finally:
        made.path.unlink()
    return True


def _run(command: tuple[str, ...], path: Path) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own fixed words
    except OSError as error:
        mend = "Run `underspend up` yourself."
        raise SettingsError(path=path, problem=f"{command[0]} cannot be run: {error}", mend=mend) from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        problem = f"`{' '.join(command)}` failed: {said[0] if said else done.returncode}"
        raise SettingsError(path=path, problem=problem, mend="Run `underspend up` yourself.")
