"""What ccusage wrote with `--json`: by session, day, week or month and model, or by block of hours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from underspend.core.errors import NotFoundError
from underspend.core.money import Money, from_usd

BLOCKS = "blocks"

_KINDS = {"sessions": "sessionId", "daily": "date", "weekly": "week", "monthly": "month", BLOCKS: "id"}
_OTHER_KEYS = ("session", "period", "lastActivity")
_MEND = "Give the output of `ccusage claude session --json` (or daily, weekly, monthly, blocks)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One model in one row of the export: tokens as ccusage counts them, dollars as it prints them.

    A block has no figures by model: its `model` is empty. `since` and `until` are its ends in µs, both in it.
    """

    row: str
    model: str
    input: int
    output: int
    cache_write: int
    cache_read: int
    cost: Money
    since: int = 0
    until: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """`kind` is sessions, daily, weekly, monthly or blocks. Only `daily` counts sub-agents' progress lines."""

    kind: str
    figures: tuple[Figures, ...]

    @property
    def counts_nested(self) -> bool:
        """Whether replies known only from a parent's progress lines are in it."""
        return self.kind == "daily"

    @property
    def cost(self) -> Money:
        """All dollars of the export."""
        return sum(each.cost for each in self.figures)


def read_export(path: Path) -> Export:
    """An export by model, or by block. Raises NotFoundError for a file that is none."""
    try:
        found = msgspec.json.Decoder(float_hook=Decimal).decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotFoundError(kind="ccusage export in", name=path, mend=_MEND) from error
    kind = next((kind for kind in _KINDS if isinstance(found, dict) and isinstance(found.get(kind), list)), None)
    if kind is None:
        raise NotFoundError(kind="ccusage export by session, day, week, month or block in", name=path, mend=_MEND)
    rows = [row for row in found[kind] if isinstance(row, dict)]
    if kind == BLOCKS:
        return Export(kind=kind, figures=tuple(each for row in rows if (each := _block(row)) is not None))
    return Export(kind=kind, figures=tuple(each for row in rows for each in _figures(row, _KINDS[kind])))


def _figures(row: dict[str, Any], key: str) -> Iterator[Figures]:
    name = next((str(row[each]) for each in (key, *_OTHER_KEYS) if row.get(each)), "")
    for each in row.get("modelBreakdowns") or ():
        yield Figures(
            row=name,
            model=str(each.get("modelName") or ""),
            input=int(each.get("inputTokens") or 0),
            output=int(each.get("outputTokens") or 0),
            cache_write=int(each.get("cacheCreationTokens") or 0),
            cache_read=int(each.get("cacheReadTokens") or 0),
            cost=_money(each.get("cost")),
        )


def _block(row: dict[str, Any]) -> Figures | None:
    """A block; None for what is none: a gap between two, or a row whose ends are no times."""
    ends = [_instant(row.get(each)) for each in ("startTime", "endTime")]
    counts = row.get("tokenCounts")
    if row.get("isGap") or None in ends or not isinstance(counts, dict):
        return None
    return Figures(
        row=str(row.get("id") or row["startTime"]),
        model="",
        input=int(counts.get("inputTokens") or 0),
        output=int(counts.get("outputTokens") or 0),
        cache_write=int(counts.get("cacheCreationInputTokens") or 0),
        cache_read=int(counts.get("cacheReadInputTokens") or 0),
        cost=_money(row.get("costUSD")),
        since=ends[0] or 0,
        until=ends[1] or 0,
    )


def _instant(text: object) -> int | None:
    """µs of an ISO 8601 time with a zone."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return None if at.tzinfo is None else int(at.timestamp() * 1000) * 1000


def _money(value: object) -> Money:
    """A printed float, to the nearest pico-dollar."""
    try:
        return from_usd(Decimal(str(value or 0)).quantize(Decimal(1).scaleb(-12)))
    except (InvalidOperation, ValueError):
        return 0
