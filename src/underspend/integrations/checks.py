"""What can be wrong with an installation, looked at from outside; each finding says how to mend it."""

from __future__ import annotations

import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import select

from underspend.config.schema import Settings
from underspend.core.errors import SettingsError, UnderspendError
from underspend.integrations import claude_code
from underspend.pricing.catalogue import catalogue
from underspend.stores import schema
from underspend.stores.database import open_database

_LEAST_FREE_BYTES = 200 * 1024 * 1024
_OLD_PRICES = timedelta(days=45)
_SECONDS = 5


class Level(StrEnum):
    """How bad a finding is: `warn` costs money or knowledge, `fail` means that something does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `mend` is empty where there is nothing to do."""

    level: Level
    what: str
    mend: str = ""


def findings(settings: Settings, environ: Mapping[str, str], today: date) -> Iterator[Finding]:
    """Look at everything, in the order a call passes it."""
    alive = _gateway_status(settings)
    yield from _folder(settings)
    yield from _ledger(settings)
    yield _gateway(settings, alive)
    yield from _faults(alive)
    yield _upstream(settings)
    yield from _claude_code(settings, environ, running=alive is not None)
    yield _prices(today)


def _folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.paths.data
    if not folder.exists():
        yield Finding(Level.OK, f"data folder {folder} will be made by `underspend up`")
        return
    if not os.access(folder, os.W_OK):
        yield Finding(Level.FAIL, f"data folder {folder} cannot be written", "Give yourself the right to write it.")
        return
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        yield Finding(Level.WARN, f"{free // 1024**2} MB are left where the ledger is", "Free some space.")
    else:
        yield Finding(Level.OK, f"data folder {folder}")


def _ledger(settings: Settings) -> Iterator[Finding]:
    if settings.ledger.url.startswith("sqlite") and not settings.paths.ledger.exists():
        return
    try:
        engine = open_database(settings.ledger.url)
    except UnderspendError as error:
        yield Finding(Level.FAIL, str(error))
        return
    try:
        with engine.connect() as connection:
            unpriced = connection.execute(
                select(schema.calls.c.unpriced).where(schema.calls.c.unpriced.is_not(None)).distinct().limit(5)
            ).scalars()
            names = ", ".join(str(name) for name in unpriced)
    finally:
        engine.dispose()
    yield Finding(Level.OK, f"ledger {engine.url.render_as_string()}")
    if names:
        mend = f'Add [prices."{names.split(", ")[0]}"] to {settings.paths.config_file}, or update Underspend.'
        yield Finding(Level.WARN, f"calls without a price: {names}; their dollars are missing from every sum", mend)
    waiting = settings.paths.spool
    if waiting.is_file() and waiting.stat().st_size:
        yield Finding(Level.WARN, f"records wait in {waiting}", "They are written at the next `underspend up`.")


def _gateway_status(settings: Settings) -> dict[str, Any] | None:
    host = f"[{settings.gateway.host}]" if ":" in settings.gateway.host else settings.gateway.host
    request = urllib.request.Request(f"http://{host}:{settings.gateway.port}/_/api/status")  # our own URL
    if settings.gateway.access_key:
        request.add_header("x-underspend-key", settings.gateway.access_key)
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as reply:  # noqa: S310  # our own URL
            status: dict[str, Any] = json.load(reply)
    except (OSError, ValueError):
        return None
    return status


def _gateway(settings: Settings, alive: dict[str, Any] | None) -> Finding:
    where = f"{settings.gateway.host}:{settings.gateway.port}"
    if alive is None:
        return Finding(Level.WARN, f"no gateway answers at {where}", "Start it with `underspend up`.")
    return Finding(Level.OK, f"gateway at {where}, version {alive.get('version')}, {alive.get('calls')} calls")


def _faults(alive: dict[str, Any] | None) -> Iterator[Finding]:
    for fault in (alive or {}).get("faults", []):
        yield Finding(Level.WARN, f"{fault['component']} failed {fault['count']}×: {fault['message']}")


def _upstream(settings: Settings) -> Finding:
    url = settings.upstream.anthropic
    try:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310  # the user's own setting
        urllib.request.urlopen(request, timeout=_SECONDS).close()  # noqa: S310  # as above
    except urllib.error.HTTPError:
        pass  # any answer is an answer
    except (OSError, ValueError) as error:
        return Finding(Level.FAIL, f"upstream {url} cannot be reached: {error}", "Check the network and [upstream].")
    return Finding(Level.OK, f"upstream {url} answers")


def _claude_code(settings: Settings, environ: Mapping[str, str], *, running: bool) -> Iterator[Finding]:
    path = claude_code.settings_path(environ)
    try:
        env = claude_code.environment(path)
    except SettingsError as error:
        yield Finding(Level.FAIL, str(error))
        return
    said = env.get(claude_code.BASE_URL, "")
    port = f":{settings.gateway.port}"
    ours = port in said and ("127.0.0.1" in said or "localhost" in said)
    yield from _pointing(path, said, ours=ours, running=running)
    shell = environ.get(claude_code.BASE_URL)
    if shell and said and shell != said:
        mend = f"Settings win; unset {claude_code.BASE_URL} in your shell to avoid confusion."
        yield Finding(
            Level.WARN, f"your shell says {claude_code.BASE_URL}={shell}, Claude Code's settings {said}", mend
        )
    if said and env.get("ENABLE_TOOL_SEARCH") != "true":
        yield Finding(
            Level.WARN,
            "behind a base URL Claude Code turns tool search off: every MCP tool is put into every prompt",
            "Run `underspend on`, or set ENABLE_TOOL_SEARCH=true in the settings' env.",
        )


def _pointing(path: Path, said: str, *, ours: bool, running: bool) -> Iterator[Finding]:
    if ours and not running:
        mend = "Run `underspend up`, or `underspend off` to do without."
        yield Finding(Level.FAIL, f"{path} points Claude Code at a gateway that does not run", mend)
    elif ours:
        yield Finding(Level.OK, f"Claude Code uses the gateway ({path})")
    elif said:
        yield Finding(Level.WARN, f"Claude Code uses {said}, not this gateway", "Run `underspend on` to change that.")
    else:
        yield Finding(Level.WARN, "Claude Code does not use the gateway", "Run `underspend on`.")


def _prices(today: date) -> Finding:
    checked = catalogue().checked()
    if checked is None or today - checked > _OLD_PRICES:
        return Finding(Level.WARN, f"prices were last checked on {checked}", "Update Underspend.")
    return Finding(Level.OK, f"prices checked on {checked}")


def utc_today() -> date:
    """The date, UTC."""
    return datetime.now(UTC).date()  # noqa: TID251  # the age of a price list is real time
