"""Whether the configured providers can be asked: keys where they are said to be, and addresses that answer."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping

from underspend.config.schema import Settings
from underspend.core.errors import ConfigError
from underspend.integrations.checks import Finding, Level
from underspend.pricing.catalogue import catalogue
from underspend.providers.keys import resolve
from underspend.providers.provider import CALLERS, Provider

_SECONDS = 5


def provider_findings(settings: Settings, environ: Mapping[str, str], *, online: bool = False) -> Iterator[Finding]:
    """One finding for each provider. Nothing is asked over the network unless `online`, and never with a key."""
    for provider in settings.providers:
        key = _key(provider, environ)
        yield key
        if key.level is not Level.FAIL and online:
            yield _address(provider)
        unpriced = _unpriced(provider, settings)
        if unpriced:
            mend = f'Add [prices."{unpriced[0]}"] to {settings.paths.config_file}: budgets count it at the dearest.'
            yield Finding(Level.WARN, f"{provider.name}: no price is known for {', '.join(unpriced)}", mend)


def _key(provider: Provider, environ: Mapping[str, str]) -> Finding:
    shown = f"provider {provider.name} at {provider.origin}"
    if provider.key == CALLERS:
        return Finding(Level.OK, f"{shown}, with the client's own key")
    if not provider.key and provider.wants_key:
        mend = f'Write key = "env:NAME" in [providers.{provider.name}].'
        return Finding(Level.WARN, f"{shown} has no key", mend)
    if not provider.key:
        return Finding(Level.OK, shown)
    try:
        resolve(provider.key, f"providers.{provider.name}.key", environ)
    except ConfigError as error:
        return Finding(Level.FAIL, str(error))
    return Finding(Level.OK, f"{shown}, with the key of {provider.key}")


def _address(provider: Provider) -> Finding:
    try:
        request = urllib.request.Request(provider.origin, method="HEAD")  # noqa: S310  # the user's own setting
        urllib.request.urlopen(request, timeout=_SECONDS).close()  # noqa: S310  # as above
    except urllib.error.HTTPError:
        pass  # any answer is an answer
    except (OSError, ValueError) as error:
        mend = "Check the network and base_url."
        return Finding(Level.FAIL, f"provider {provider.name} cannot be reached: {error}", mend)
    return Finding(Level.OK, f"provider {provider.name} answers")


def _unpriced(provider: Provider, settings: Settings) -> list[str]:
    """The models that a provider lists and that nobody knows the price of."""
    prices = catalogue().with_overrides(settings.prices)
    return [name for name in provider.models if prices.find(name, provider=provider.price_list) is None]
