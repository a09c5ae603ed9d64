"""How much of a plan's limits was used, as Claude Code itself was told: a reading, never an estimate."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Window(StrEnum):
    """The stretches over which plans limit use."""

    FIVE_HOURS = "five_hour"
    SEVEN_DAYS = "seven_day"


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a window's limit that was used at a time, in thousandths (above 1,000 where more was allowed).

    `at` and `resets_at` are in microseconds since the epoch; `resets_at` is when the window ends. `source` says in
    words who was told.
    """

    window: Window
    at: int
    used_permille: int
    resets_at: int
    source: str
