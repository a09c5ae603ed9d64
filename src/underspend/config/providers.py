"""[providers.<name>] tables → providers, and [fallbacks] → whom to ask next when one does not answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import msgspec

from underspend.config.schema import Origin
from underspend.core.errors import ConfigError
from underspend.providers import kind_of, kinds
from underspend.providers.keys import check_reference
from underspend.providers.provider import CALLERS, Provider

At = Callable[[str], str]
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_HOME = "anthropic"


def providers_from(table: object, at: At) -> tuple[tuple[Provider, ...], list[Origin]]:
    """The providers in the order they were written, and where each of their settings was said.

    Raises ConfigError for a kind or setting that does not exist, a value that will not do, or a key in plain text.
    """
    if not isinstance(table, dict) or not all(isinstance(value, dict) for value in table.values()):
        raise ConfigError(where=at("providers"), problem="providers are tables", mend="Write [providers.<name>].")
    made: list[Provider] = []
    origins: list[Origin] = []
    for name, given in table.items():
        provider = _made(name, dict(given), at)
        made.append(provider)
        origins += _origins(provider, given, at)
    return tuple(made), origins


def _made(name: str, given: dict[str, Any], at: At) -> Provider:
    if not _NAME.fullmatch(name):
        mend = "Use small letters, digits, dots and dashes."
        raise ConfigError(where=at(f"providers.{name}"), problem=f"{name!r} is no name for a provider", mend=mend)
    said = kind_of(name, str(given.pop("kind", "")))
    kind = kinds().get(said)
    if kind is None:
        mend = f"There are: {', '.join(kinds())}."
        raise ConfigError(where=at(f"providers.{name}.kind"), problem=f"no kind {said}", mend=mend)
    known = [field.name for field in fields(kind) if field.name != "name"]
    for key in given:
        if key not in known:
            mend = f"It has: {', '.join(['kind', *known])}."
            problem = f"a provider of kind {said} has no setting {key}"
            raise ConfigError(where=at(f"providers.{name}.{key}"), problem=problem, mend=mend)
    _check_key(given.get("key", ""), at(f"providers.{name}.key"))
    try:
        provider = msgspec.convert({**given, "name": name}, kind)
    except msgspec.ValidationError as error:
        where = at(f"providers.{name}")
        raise ConfigError(where=where, problem=f"{name} cannot be set up", mend=f"{error}.") from error
    provider.check()
    return provider


def _check_key(key: object, where: str) -> None:
    if not isinstance(key, str):
        raise ConfigError(where=where, problem="a key is named by a text", mend='Write key = "env:NAME".')
    if key and key != CALLERS:
        check_reference(key, where)


def _origins(provider: Provider, given: Mapping[str, object], at: At) -> list[Origin]:
    values: dict[str, object] = {"kind": provider.kind}
    values |= {field.name: getattr(provider, field.name) for field in fields(provider) if field.name != "name"}
    return [
        Origin(
            name=(name := f"providers.{provider.name}.{key}"),
            value=value,
            source=at(name) if key in given else "default",
            description="",
        )
        for key, value in values.items()
    ]


def fallbacks_from(
    table: object, providers: tuple[Provider, ...], at: At
) -> tuple[Mapping[str, tuple[str, ...]], list[Origin]]:
    """Model → those to ask after it, in order, each as "provider/model" or as a model alone.

    Raises ConfigError for what is no list of names, or names a provider that is not configured.
    """
    if not isinstance(table, dict):
        mend = 'Write "model" = ["provider/model"] below [fallbacks].'
        raise ConfigError(where=at("fallbacks"), problem="fallbacks are a table", mend=mend)
    known = {_HOME, *(provider.name for provider in providers)}
    made: dict[str, tuple[str, ...]] = {}
    for model, chain in table.items():
        where = at(f"fallbacks.{model}")
        if not isinstance(chain, list) or not chain or not all(isinstance(each, str) and each for each in chain):
            mend = f'Write "{model}" = ["provider/model"].'
            raise ConfigError(where=where, problem="a chain is a list of models", mend=mend)
        for each in chain:
            _check_link(each, model, known, where)
        made[model] = tuple(chain)
    return made, [
        Origin(name=f"fallbacks.{model}", value=list(chain), source=at(f"fallbacks.{model}"), description="")
        for model, chain in made.items()
    ]


def _check_link(link: str, model: str, known: set[str], where: str) -> None:
    if link == model:
        problem = f"{model} would be asked again after itself"
        raise ConfigError(where=where, problem=problem, mend="Name another model, or another provider.")
    provider, found, _ = link.partition("/")
    if found and provider not in known:
        mend = f"Add [providers.{provider}], or use one of: {', '.join(sorted(known))}."
        raise ConfigError(where=where, problem=f"no provider {provider}", mend=mend)
