"""Claude Code's settings: pointing them at the gateway, and undoing exactly that."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from underspend.core.errors import SettingsError
from underspend.integrations import json_splice

BASE_URL = "ANTHROPIC_BASE_URL"
_ALONGSIDE = {
    # Behind a base URL that is not Anthropic's own, Claude Code turns tool search off, which puts every MCP tool's
    # definition back into the prompt. This turns it on again.
    "ENABLE_TOOL_SEARCH": "true",
    # Makes each request say whether it is the main loop's, a sub-agent's or a compaction, and which prompt it serves.
    "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
}


class _Record(msgspec.Struct):
    path: str
    original: str | None
    written: str
    previous: dict[str, str]
    names: list[str]
    made_folder: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A file before and after. `before` is None where there was no file, `after` where there shall be none."""

    path: Path
    before: str | None
    after: str | None


def settings_path(environ: Mapping[str, str]) -> Path:
    """The user's settings.json, in $CLAUDE_CONFIG_DIR or ~/.claude."""
    folder = environ.get("CLAUDE_CONFIG_DIR")
    home = Path(folder) if folder else Path(environ.get("HOME", "~")).expanduser() / ".claude"
    return home / "settings.json"


def environment(path: Path) -> dict[str, str]:
    """The `env` of a settings file; empty where there is none. Raises SettingsError for a file that is no JSON."""
    try:
        return {str(name): str(value) for name, value in _env_of(_read(path)).items()}
    except (ValueError, AttributeError) as error:
        mend = "Mend the file; Claude Code cannot read it either."
        raise SettingsError(
            path=path, problem=f"it is not JSON as Claude Code writes it: {error}", mend=mend
        ) from error


def variables(url: str) -> dict[str, str]:
    """What `on` puts into the settings' `env`."""
    return {BASE_URL: url, **_ALONGSIDE}


def plan_on(path: Path, url: str) -> Change:
    """The change that points the settings at the gateway. Raises SettingsError for a file that is no JSON object."""
    before = _read(path)
    text = before if before is not None and before.strip() else "{}\n"
    try:
        json_splice.members(text, 0)
        json.loads(text)
        for name, value in variables(url).items():
            text = json_splice.put(text, ("env", name), value)
        json.loads(text)
    except ValueError as error:
        raise SettingsError(
            path=path, problem=f"it is not JSON as Claude Code writes it: {error}", mend="Nothing was changed."
        ) from error
    return Change(path, before, text)


def turn_on(change: Change, url: str, record: Path) -> None:
    """Write the change, after keeping what is needed to undo it."""
    kept = _recorded(record)
    again = kept is not None and kept.path == str(change.path)
    original = _original(kept) if kept is not None and again else change.before
    env = kept.previous if kept is not None and again else _env_of(change.before)
    new = _Record(
        path=str(change.path),
        original=None if original is None else base64.b64encode(original.encode()).decode(),
        written=_digest(change.after or ""),
        previous={name: env[name] for name in variables(url) if name in env},
        names=list(variables(url)),
        made_folder=kept.made_folder if kept is not None and again else not change.path.parent.exists(),
    )
    record.parent.mkdir(parents=True, exist_ok=True)
    _write(record, msgspec.json.format(msgspec.json.encode(new)).decode())
    if change.after is not None:
        _write(change.path, change.after)


def plan_off(record: Path) -> Change | None:
    """The change that undoes `on`; None when there is nothing to undo.

    An untouched file gets its old bytes back. In one that was edited since, only our members are taken out again.
    """
    kept = _recorded(record)
    if kept is None:
        return None
    path = Path(kept.path)
    before = _read(path)
    if before is None:
        return Change(path, None, None)
    if _digest(before) == kept.written:
        return Change(path, before, _original(kept))
    return Change(path, before, _without_ours(path, before, kept))


def turn_off(change: Change, record: Path) -> None:
    """Write the change and forget the record."""
    if change.after is not None:
        _write(change.path, change.after)
    else:
        change.path.unlink(missing_ok=True)
        kept = _recorded(record)
        if kept is not None and kept.made_folder:
            with contextlib.suppress(OSError):  # something else lives in it by now
                change.path.parent.rmdir()
    record.unlink(missing_ok=True)


def _without_ours(path: Path, text: str, kept: _Record) -> str:
    try:
        for name in kept.names:
            if name in kept.previous:
                text = json_splice.put(text, ("env", name), kept.previous[name])
            else:
                text = json_splice.drop(text, ("env", name))
        if json.loads(text).get("env") == {}:
            text = json_splice.drop(text, ("env",))
    except ValueError as error:
        raise SettingsError(
            path=path,
            problem=f"it was changed since and is not JSON any more: {error}",
            mend=f"Mend it, or take {', '.join(kept.names)} out of its env by hand.",
        ) from error
    return text


def _env_of(text: str | None) -> Mapping[str, str]:
    if text is None or not text.strip():
        return {}
    env = json.loads(text).get("env")
    return env if isinstance(env, dict) else {}


def _recorded(record: Path) -> _Record | None:
    try:
        return msgspec.json.decode(record.read_bytes(), type=_Record)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        mend = "Put Claude Code's settings right by hand, then remove this file."
        raise SettingsError(path=record, problem=f"the record of `on` cannot be read: {error}", mend=mend) from error


def _original(kept: _Record) -> str | None:
    return None if kept.original is None else base64.b64decode(kept.original).decode()


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(path=path, problem=f"it cannot be read: {error}", mend="Nothing was changed.") from error


def _write(path: Path, text: str) -> None:
    """Replace a file whole or not at all; a link keeps pointing where it points, modes stay."""
    target = path.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, made = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
            if target.exists():
                Path(made).chmod(target.stat().st_mode & 0o777)
            Path(made).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(made).unlink()
            raise
    except OSError as error:
        raise SettingsError(path=path, problem=f"it cannot be written: {error}", mend="Nothing was changed.") from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
