"""Whoever speaks OpenAI's or Anthropic's dialect at an address of their own.

Those known by name are data, with the source of each address: `data/compatible.json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import ClassVar

import msgspec

from underspend.core.errors import ConfigError
from underspend.providers.keys import Secret
from underspend.providers.openai import PATHS
from underspend.providers.provider import ANTHROPIC, CHAT, RESPONSES, Addressed, Headers, Outgoing, Provider, bearer

_DATA = Path(__file__).with_name("data") / "compatible.json"
_MESSAGES = {"messages": "/v1/messages", "count_tokens": "/v1/messages/count_tokens"}
_DIALECTS = (CHAT, RESPONSES, ANTHROPIC)


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A provider known by name. `addresses` maps each dialect it speaks to its base URL, the preferred one first.

    An OpenAI base URL ends in the version, an Anthropic one before it: as the clients of each have it. `variable` is
    where its key usually is. `stream_usage` says whether it takes `stream_options` and reports a stream's usage.
    """

    addresses: dict[str, str]
    prices: str
    source: str
    checked: date
    variable: str = ""
    stream_usage: bool = True


@cache
def presets() -> dict[str, Preset]:
    """All that are known, by name."""
    return msgspec.json.decode(_DATA.read_bytes(), type=dict[str, Preset])


@dataclass(frozen=True, slots=True, kw_only=True)
class Compatible(Provider):
    """`dialect` is the one to speak at an own `base_url`; presets know theirs. `preset` is the name by default."""

    kind: ClassVar[str] = "compatible"

    preset: str = ""
    dialect: str = ""
    stream_usage: bool | None = None

    @property
    def known(self) -> Preset | None:
        """The preset, where there is one."""
        return presets().get(self.preset or self.name)

    @property
    def wants_key(self) -> bool:
        """Whether a key is usual: local servers have none."""
        return bool(self.known is not None and self.known.variable)

    @property
    def speaks(self) -> tuple[str, ...]:
        """The dialect configured, else those of the preset."""
        if self.dialect:
            return (self.dialect,)
        return tuple(self.known.addresses) if self.known is not None and not self.base_url else (CHAT,)

    @property
    def url(self) -> str:
        """The base URL of the preferred dialect."""
        return self._base(self.speaks[0])

    @property
    def price_list(self) -> str:
        """The preset's; one without is its own, so that its models have no price but the user's."""
        return self.prices or (self.known.prices if self.known is not None else self.name)

    @property
    def reports_stream_usage(self) -> bool:
        """Whether a stream may be asked for its usage."""
        if self.stream_usage is not None:
            return self.stream_usage
        return self.known.stream_usage if self.known is not None else True

    def path(self, request: Outgoing) -> str:
        """By endpoint."""
        return _MESSAGES[request.endpoint] if request.dialect == ANTHROPIC else PATHS[request.endpoint]

    def addressed(self, request: Outgoing, key: Secret | None) -> Addressed:
        """Behind the base URL of the request's dialect."""
        made = Provider.addressed(self, request, key)
        base = self._base(request.dialect).removeprefix(self.origin).rstrip("/")
        return Addressed(target=base + self.path(request), headers=made.headers, body=made.body)

    def credentials(self, key: Secret, dialect: str) -> Headers:  # noqa: ARG002  # all take a Bearer, in both dialects
        """A Bearer."""
        return bearer(key)

    def check(self) -> None:
        """Raises ConfigError where there is no address, or an unknown preset or dialect."""
        where = f"providers.{self.name}"
        if self.preset and self.preset not in presets():
            known = ", ".join(presets())
            raise ConfigError(where=f"{where}.preset", problem=f"no preset {self.preset}", mend=f"There are: {known}.")
        if self.dialect and self.dialect not in _DIALECTS:
            mend = f"There are: {', '.join(_DIALECTS)}."
            raise ConfigError(where=f"{where}.dialect", problem=f"no dialect {self.dialect}", mend=mend)
        if self.known is None and not self.base_url:
            mend = f"Write base_url, or name one of: {', '.join(presets())}."
            raise ConfigError(where=where, problem="its address is not known", mend=mend)
        Provider.check(self)

    def _base(self, dialect: str) -> str:
        if self.base_url or self.known is None:
            return self.base_url
        return self.known.addresses.get(dialect) or next(iter(self.known.addresses.values()))
