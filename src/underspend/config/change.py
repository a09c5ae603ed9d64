"""Changing config.toml: one setting at a time, comments and order kept, and nothing written that would not load."""

from __future__ import annotations

import os
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from underspend.config.load import load
from underspend.config.paths import find
from underspend.core.errors import ConfigError


def value_of(text: str) -> Any:
    """A value as TOML has it (5, true, a list in brackets), else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def set_value(name: str, value: Any, *, home: Path | None = None) -> Path:
    """Write one setting, by its dotted name, into config.toml, which is made where there is none; gives its path.

    Raises ConfigError for a setting that does not exist, a value that will not do, or a file that cannot be written;
    the file is then as it was.
    """
    import tomlkit  # seldom needed
    from tomlkit.exceptions import TOMLKitError

    file = find(home).config_file
    text = file.read_text("utf-8") if file.exists() else ""
    load(home=home, text=text)  # what is wrong already is said as such
    *tables, key = name.split(".")
    try:
        document = tomlkit.parse(text)
        at: Any = document
        for table in tables:
            at = at.setdefault(table, tomlkit.table(is_super_table=table != tables[-1]))
        at[key] = value
        made = tomlkit.dumps(document)
    except (TOMLKitError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(where=name, problem=f"it cannot be set: {error}", mend="Edit config.toml.") from error
    load(home=home, text=made)
    _replace(file, made)
    return file


def _replace(file: Path, text: str) -> None:
    """Write the whole file beside itself and put it in its place: a crash leaves one or the other."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".config-", suffix=".toml")
        with os.fdopen(descriptor, "w", encoding="utf-8") as made:
            made.write(text)
        if file.exists():
            Path(name).chmod(file.stat().st_mode & 0o777)
        Path(name).replace(file)
    except OSError as error:
        raise ConfigError(where=file, problem=f"it cannot be written ({error.strerror})", mend="Edit it.") from error
