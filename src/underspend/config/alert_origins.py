"""Where each setting of [alerts], [[alerts.to]], [rate_limits.<name>] and [runaway] was said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from underspend.config.alerts import AlertsTable, RateLimitTable, RunawayTable, To
from underspend.config.schema import Origin

_PLACES = "to"


def alert_origins(document: Mapping[str, Any], places: tuple[To, ...], at: Callable[[str], str]) -> list[Origin]:
    """Every setting of the tables that are there, defaults included; `at` gives a dotted name's file and line.

    The tables have been read before: what will not do was refused then.
    """
    found: list[Origin] = []
    if "alerts" in document:
        given = document["alerts"]
        found += _of("alerts", given, AlertsTable, at)
        for place, table in zip(places, given.get(_PLACES, ()), strict=True):
            found += _of(f"alerts.to.{place.name}", table, type(place), lambda _: at("alerts.to"))
    for name, table in document.get("rate_limits", {}).items():
        found += _of(f"rate_limits.{name}", table, RateLimitTable, at)
    if "runaway" in document:
        found += _of("runaway", document["runaway"], RunawayTable, at)
    return found


def _of(name: str, given: Mapping[str, Any], kind: type[msgspec.Struct], at: Callable[[str], str]) -> Iterator[Origin]:
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        if field.name == _PLACES and kind is AlertsTable:
            continue
        full, is_said = f"{name}.{field.name}", field.name in given
        yield Origin(
            name=full,
            value=given[field.name] if is_said else msgspec.to_builtins(field.default),
            source=at(full) if is_said else "default",
            description=_described(hints[field.name]),
        )


def _described(hint: Any) -> str:
    """The description that stands with a field's type."""
    if get_origin(hint) is not Annotated:
        return ""
    return next((meta.description for meta in get_args(hint)[1:] if getattr(meta, "description", None)), "")
