"""Reading settings: defaults, then config.toml, then the environment, then flags; the last to speak wins."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from underspend.config import paths
from underspend.config.schema import Origin, Sections, Settings
from underspend.core.errors import ConfigError

if TYPE_CHECKING:
    from underspend.config.alerts import AlertSettings
    from underspend.core.budgets import Budget
    from underspend.core.engine import Step
    from underspend.providers.provider import Provider

_ENV = "UNDERSPEND_"
_ALERTS = ("alerts", "rate_limits", "runaway")
_TABLES = {"strategies", "prices", "providers", "fallbacks", "budgets", *_ALERTS}


def load(
    *,
    home: Path | None = None,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    text: str | None = None,
    steps: bool = True,
) -> Settings:
    """The settings in force. `flags` are dotted names ("gateway.port") with values, None meaning not given.

    Environment variables are UNDERSPEND_<SECTION>_<KEY>, as in UNDERSPEND_GATEWAY_PORT=4200. Raises ConfigError
    naming the file and line, the variable or the flag that is wrong. `text` stands for the file's own, to be tried.
    Without `steps` strategies that no table names are left out: to make them takes as long as all else here.
    """
    where = paths.find(home)
    text = _text(where.config_file) if text is None else text
    table = _parsed(text, where.config_file)
    at = partial(_at, where.config_file, text)
    said = {name: (value, at(name)) for name, value in _flat(table)}
    said |= _said_elsewhere(environ if environ is not None else os.environ, flags or {})
    sections, origins = _resolve(said)
    if not sections.ledger.url:
        sections = replace(sections, ledger=replace(sections.ledger, url=f"sqlite:///{where.ledger}"))
    made, step_origins = _steps(table, at) if steps or "strategies" in table else ((), [])
    elsewhere = _elsewhere(table, at)
    budgets, budget_origins = _budgets(table, at, sections.report.timezone)
    alerts, alert_origins = _alerts(table, where.config_file, at)
    return Settings(
        paths=where,
        **{section.name: getattr(sections, section.name) for section in fields(Sections)},
        steps=made,
        prices=_price_overrides(table, where.config_file, text),
        providers=elsewhere.providers,
        fallbacks=elsewhere.fallbacks,
        alerts=alerts,
        budgets=budgets,
        origins=(*origins, *step_origins, *elsewhere.origins, *alert_origins, *budget_origins),
    )


def _said_elsewhere(environ: Mapping[str, str], flags: Mapping[str, object]) -> dict[str, tuple[object, str]]:
    """What the environment says, and the flags over it."""
    variables = {name: _ENV + name.replace(".", "_").upper() for name in _names()}
    said: dict[str, tuple[object, str]] = {
        name: (environ[variable], f"${variable}") for name, variable in variables.items() if variable in environ
    }
    given = {name: value for name, value in flags.items() if value is not None}
    return said | {name: (value, f"--{name.rpartition('.')[2].replace('_', '-')}") for name, value in given.items()}


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """Whom calls may go to besides the upstream."""

    providers: tuple[Provider, ...] = ()
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    origins: Sequence[Origin] = ()


def _elsewhere(table: Mapping[str, Any], at: Callable[[str], str]) -> _Elsewhere:
    if not table.get("providers") and not table.get("fallbacks"):
        return _Elsewhere()
    from underspend.config.providers import fallbacks_from, providers_from  # loaded only where there are any

    providers, provider_origins = providers_from(table.get("providers", {}), at)
    fallbacks, fallback_origins = fallbacks_from(table.get("fallbacks", {}), providers, at)
    return _Elsewhere(providers, fallbacks, (*provider_origins, *fallback_origins))


def _alerts(
    table: Mapping[str, Any], file: Path, at: Callable[[str], str]
) -> tuple[AlertSettings | None, Sequence[Origin]]:
    if not any(name in table for name in _ALERTS):
        return None, ()
    from underspend.config.alert_origins import alert_origins  # loaded only where there are any
    from underspend.config.alerts import alerts_from

    alerts = alerts_from(table, str(file))
    return alerts, alert_origins(table, alerts.to, at)


def _steps(table: Mapping[str, Any], at: Callable[[str], str]) -> tuple[tuple[Step, ...], list[Origin]]:
    from underspend.config.steps import steps_from  # brings every strategy with it

    return steps_from(table.get("strategies", {}), at)


def _budgets(
    table: Mapping[str, Any], at: Callable[[str], str], timezone: str
) -> tuple[tuple[Budget, ...], Sequence[Origin]]:
    if "budgets" not in table:
        return (), ()
    from underspend.config.budgets import budgets_from  # loaded only where there are any

    return budgets_from(table["budgets"], at, timezone=timezone)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            where=file, problem=f"it cannot be read ({error})", mend="Mend or remove the file."
        ) from error


def _parsed(text: str, file: Path) -> dict[str, Any]:
    if not text:
        return {}
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        where = f"{file}:{line[1]}" if line else str(file)
        raise ConfigError(where=where, problem=f"this is not TOML: {error}", mend="Mend that line.") from error


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for section, content in table.items():
        if section in _TABLES:
            continue
        if not isinstance(content, dict):
            yield section, content
            continue
        for key, value in content.items():
            yield f"{section}.{key}", value


@lru_cache(maxsize=1)
def _hints() -> tuple[tuple[str, str, Any, str], ...]:
    """Section, key, type and description of every setting."""
    return tuple(_read_hints())


def _read_hints() -> Iterator[tuple[str, str, Any, str]]:
    for section in fields(Sections):
        kind = _section_type(section.name)
        hints = get_type_hints(kind, include_extras=True)
        for item in fields(kind):
            hint = hints[item.name]
            described = get_origin(hint) is Annotated and hint.__metadata__[0].description
            yield section.name, item.name, hint, described or ""


def described() -> Iterator[tuple[str, object, str]]:
    """Every setting's dotted name, default and meaning."""
    defaults = Sections()
    for section, key, _, description in _hints():
        yield f"{section}.{key}", getattr(getattr(defaults, section), key), description


def _names() -> list[str]:
    return [f"{section}.{key}" for section, key, _, _ in _hints()]


def _resolve(said: Mapping[str, tuple[object, str]]) -> tuple[Sections, list[Origin]]:
    known = _names()
    for name, (_, source) in said.items():
        if name not in known:
            raise ConfigError(where=source, problem=f"there is no setting {name}", mend=_nearest(name, known))
    values: dict[str, dict[str, object]] = {}
    origins: list[Origin] = []
    defaults = Sections()
    for section, key, hint, description in _hints():
        name = f"{section}.{key}"
        value: object = getattr(getattr(defaults, section), key)
        source = "default"
        if name in said:
            raw, source = said[name]
            value = _converted(raw, hint, name, source)
        values.setdefault(section, {})[key] = value
        origins.append(Origin(name=name, value=value, source=source, description=description))
    sections = Sections(**{name: _section_type(name)(**given) for name, given in values.items()})
    return sections, origins


def _section_type(name: str) -> Any:
    return _section_types()[name]


@lru_cache(maxsize=1)
def _section_types() -> dict[str, Any]:
    return get_type_hints(Sections)


def _converted(raw: object, hint: Any, name: str, source: str) -> object:
    try:
        if isinstance(raw, str) and source.startswith("$"):
            if get_origin(get_args(hint)[0]) is list:
                return msgspec.convert([part.strip() for part in raw.split(",") if part.strip()], hint)
            return msgspec.convert(raw, hint, strict=False)
        return msgspec.convert(raw, hint, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(where=source, problem=f"{name} = {raw!r} will not do", mend=f"{error}.") from error


def _nearest(name: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]}?" if close else "See docs/settings.md for those there are."


def _line(text: str, name: str) -> int:
    """The line a setting is said on; its section's where the key cannot be found, 1 where neither can."""
    table, found = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
        key = re.match(r"""\s*([\w\-."' ]+?)\s*=""", line)
        if header:
            table = _bare(header[1]) + "."
            said = table
        elif key:
            said = table + _bare(key[1]) + "."
            if said == f"{name}.":
                return number
        else:
            continue
        found = number if f"{name}.".startswith(said) else found
    return found or 1


def _bare(key: str) -> str:
    return re.sub(r"""["' ]""", "", key)


def _at(file: Path, text: str, name: str) -> str:
    return f"{file}:{_line(text, name)}"


def _price_overrides(table: Mapping[str, Any], file: Path, text: str) -> Mapping[str, Mapping[str, Any]]:
    prices = table.get("prices", {})
    if not isinstance(prices, dict) or not all(isinstance(value, dict) for value in prices.values()):
        raise ConfigError(
            where=_at(file, text, "prices"), problem="prices are tables", mend='Write [prices."model-id"].'
        )
    return prices
