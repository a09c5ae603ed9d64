"""The policy to replay: a file's `[strategies.*]` tables and single settings on top of them; and back to TOML."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from underspend.config.steps import steps_from
from underspend.core.engine import Step
from underspend.core.errors import ConfigError

_TABLE = "strategies"
_PARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Strategies with their states, in order. `said` is what was said about each: all else is a default."""

    steps: tuple[Step, ...]
    said: Mapping[str, Mapping[str, Any]]

    def config(self) -> str:
        """The policy as TOML for config.toml: strategies that are on for any call, or not as they are by default."""
        tables = []
        for step in self.steps:
            name = step.strategy.name
            if step.is_on_somewhere or step.state is not type(step.strategy).default_state:
                values = {"state": step.state.value, **self.said.get(name, {})}
                lines = [f"{_key(key)} = {as_toml(value)}" for key, value in values.items()]
                tables.append("\n".join([f"[{_TABLE}.{name}]", *lines]))
        return "\n\n".join(tables) + "\n" if tables else ""


def policy(file: Path | None = None, settings: Sequence[str] = ()) -> Policy:
    """The strategies of a file, else as a gateway has them, with `settings` ("strategies.x.state=on") on top.

    A value is read as TOML, else taken as text. Raises ConfigError for a file that cannot be read, a strategy or a
    setting that does not exist, a value that will not do.
    """
    said: dict[str, dict[str, Any]] = {}
    table = _read(file) if file is not None else {}
    if not isinstance(table, dict) or not all(isinstance(value, dict) for value in table.values()):
        raise ConfigError(where=str(file), problem="strategies are tables", mend="Write [strategies.<name>].")
    for name, values in table.items():
        said[name] = dict(values)
    for setting in settings:
        name, key, value = _parted(setting)
        said.setdefault(name, {})[key] = value
    where = str(file) if file is not None else "--set"
    steps, _ = steps_from(said, lambda _name: where)
    return Policy(steps=steps, said=said)


def _read(file: Path) -> Any:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")).get(_TABLE, {})
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(where=file, problem=f"it cannot be read ({error})", mend="Name another file.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(where=file, problem=f"this is not TOML: {error}", mend="Mend that line.") from error


def _parted(setting: str) -> tuple[str, str, Any]:
    path, equals, text = setting.partition("=")
    parts = path.strip().split(".")
    if not equals or len(parts) != _PARTS or parts[0] != _TABLE:
        raise ConfigError(
            where="--set", problem=f"{setting!r} will not do", mend="Write strategies.<name>.<setting>=<value>."
        )
    return parts[1], parts[2], _value(text.strip())


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def as_toml(value: Any) -> str:
    """A value as it is written in a TOML file."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {as_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(as_toml(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else str(value)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)
