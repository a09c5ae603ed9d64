"""Where calls can go: the upstream that clients came for, and the providers configured beside it.

A client chooses among them by a model's name, never by an address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from underspend.core.call import Call
from underspend.gateway.transport import Upstream
from underspend.pricing.catalogue import Catalogue
from underspend.pricing.normalise import provider_id
from underspend.providers.keys import Secret
from underspend.providers.provider import CALLERS, Provider

_AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A provider, and the connections to it. `home` is the upstream that clients' own keys are for.

    `key` is ours; None for the client's, or for none at all.
    """

    provider: Provider
    upstream: Upstream
    key: Secret | None = field(default=None, repr=False)
    home: bool = False

    @property
    def name(self) -> str:
        """The provider's name in the settings."""
        return self.provider.name

    @property
    def host(self) -> str:
        """Host and port, for the ledger."""
        return urlsplit(self.provider.url).netloc.rpartition("@")[2]

    @property
    def shows_clients_key(self) -> bool:
        """Whether the client's own key is shown to it."""
        return self.home or self.provider.key == CALLERS


@dataclass(slots=True, kw_only=True)
class Candidate:
    """A destination and what to ask it for, as a client would name it there."""

    to: Destination
    model: str


class Destinations:
    """Names → destinations. `fallbacks` maps a model to whom to ask after it."""

    def __init__(
        self,
        home: Destination,
        others: Sequence[Destination] = (),
        *,
        catalogue: Catalogue,
        fallbacks: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.home = home
        self.others = tuple(others)
        self._named = {other.name: other for other in others}
        self._listed = {model: other for other in reversed(self.others) for model in other.provider.models}
        self._priced = {provider_id(other.provider.price_list): other for other in reversed(self.others)}
        self._catalogue = catalogue
        self._fallbacks = dict(fallbacks or {})
        self.plain = not self.others and not self._fallbacks
        """Whether there is only the upstream: nothing then has to be chosen."""

    @property
    def everyone(self) -> tuple[Destination, ...]:
        """All destinations, the upstream first."""
        return (self.home, *self.others)

    def named(self, model: str) -> Candidate | None:
        """Where a model's name says that it goes: "provider/model", or one that a provider lists. None where neither.

        The upstream's own name is taken off only for those that come by way of a chain or of another dialect.
        """
        provider, found, rest = model.partition("/")
        if found and rest and provider in self._named:
            return Candidate(to=self._named[provider], model=rest)
        if model in self._listed:
            return Candidate(to=self._listed[model], model=model)
        return None

    def for_client(self, model: str) -> Candidate:
        """Where an Anthropic-style call goes: by its model's name, by its vendor, else to the upstream as it is."""
        if self.plain or not model:
            return Candidate(to=self.home, model=model)
        return self.named(model) or self._vendors(model) or Candidate(to=self.home, model=model)

    def for_stranger(self, model: str) -> Candidate | None:
        """Where a call of another dialect goes; None where nobody here has the model."""
        found = self.named(model) or self._vendors(model)
        if found is not None:
            return found
        bare = model.removeprefix(f"{self.home.name}/")
        claude = self._catalogue.find(bare, provider=self.home.provider.price_list)
        if claude is not None or is_auto(bare):
            own = self._named.get(self.home.name)
            return Candidate(to=own or self.home, model=bare)
        return None

    def vendor(self, model: str) -> str | None:
        """The name in the price catalogue of who makes a model; None where it is not listed."""
        found = self._catalogue.resolve(model)
        return None if found is None else found.model.provider

    def planned(self, asked: Call, call: Call, to: Destination) -> Destination:
        """Where a call goes as planned: a strategy may have chosen another provider. Raises LookupError for none."""
        if call.provider == asked.provider:
            return to
        wanted = provider_id(call.provider)
        if wanted == provider_id(self.home.provider.price_list):
            return self.home
        found = self._priced.get(wanted)
        if found is None:
            raise LookupError(f"no provider is configured for {call.provider}")
        return found

    def after(self, named: str, call: Call, to: Destination) -> list[Candidate]:
        """Whom to ask when a call's destination does not answer, in order and without itself."""
        if not self._fallbacks:
            return []
        known = self._catalogue.find(call.model, provider=call.provider)
        names = [named, f"{to.name}/{call.model}", call.model, *([known.id] if known is not None else [])]
        chain = next((self._fallbacks[name] for name in names if name in self._fallbacks), ())
        seen = {(to.name, to.home, call.model)}
        found: list[Candidate] = []
        for link in chain:
            candidate = self._link(link, to)
            key = (candidate.to.name, candidate.to.home, candidate.model)
            if key not in seen:
                seen.add(key)
                found.append(candidate)
        return found

    def _link(self, link: str, to: Destination) -> Candidate:
        named = self.named(link)
        if named is not None:
            return named
        provider, found, rest = link.partition("/")
        if found and provider == self.home.name:
            return Candidate(to=self.home, model=rest)
        return self._vendors(link) or Candidate(to=to, model=link)

    def _vendors(self, model: str) -> Candidate | None:
        """The configured provider that is a model's own vendor."""
        if not self.others:
            return None
        vendor = self.vendor(model)
        if vendor is None or vendor == self.home.provider.price_list:
            return None
        there = self._priced.get(vendor)
        return None if there is None else Candidate(to=there, model=model)


def is_auto(model: str) -> bool:
    """Whether a client leaves the choice of the model to us."""
    return model == _AUTO or model.startswith(f"{_AUTO}:")


def sent_to(call: Call, candidate: Candidate) -> Call:
    """The call as it is made to a candidate."""
    return replace(call, model=candidate.model, provider=candidate.to.provider.price_list)
