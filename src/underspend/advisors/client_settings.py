"""The client's settings files as advisors look at them: each file with the timelines it governs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from underspend.advisors.places import folder_governed, governed
from underspend.core.advisor import Surroundings
from underspend.core.history import History, Timeline

_ON = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """One settings file: its own keys, its `env` as text, the timelines of sessions it held for."""

    path: str
    keys: Mapping[str, object]
    env: Mapping[str, str]
    timelines: list[Timeline]

    def on(self, name: str) -> bool:
        """Whether an environment variable is set to something that means yes."""
        return self.env.get(name, "").strip().lower() in _ON


def settings_files(history: History, around: Surroundings) -> Iterator[SettingsFile]:
    """Every settings file, in the order of their paths."""
    for path, keys in sorted(around.settings.items()):
        env = keys.get("env")
        texts = {str(name): _text(value) for name, value in env.items()} if isinstance(env, Mapping) else {}
        yield SettingsFile(path, keys, texts, governed(history, folder_governed(path, around.settings)))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
