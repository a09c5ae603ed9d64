"""Destinations from settings: each provider with its key looked up and connections to its own address."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from underspend.config.schema import Settings
from underspend.gateway.destinations import Destination, Destinations
from underspend.gateway.upstream import HttpUpstream
from underspend.pricing.catalogue import Catalogue
from underspend.providers.anthropic import Anthropic
from underspend.providers.keys import Secret, resolve
from underspend.providers.provider import CALLERS, Provider


def destinations_of(settings: Settings, catalogue: Catalogue, environ: Mapping[str, str]) -> Destinations:
    """The upstream and every configured provider. Raises ConfigError for a key that is not where it is said to be."""
    others = [_destination(settings, provider, environ) for provider in settings.providers]
    return Destinations(_home(settings), others, catalogue=catalogue, fallbacks=settings.fallbacks)


def _home(settings: Settings) -> Destination:
    base = settings.upstream.anthropic
    parts = urlsplit(base)
    # Its connections add the path of the base URL themselves: requests go out as they came.
    provider = Anthropic(name="anthropic", base_url=f"{parts.scheme}://{parts.netloc}", key=CALLERS)
    return Destination(provider=provider, upstream=_upstream(settings, base), home=True)


def _destination(settings: Settings, provider: Provider, environ: Mapping[str, str]) -> Destination:
    return Destination(provider=provider, upstream=_upstream(settings, provider.origin), key=key_of(provider, environ))


def _upstream(settings: Settings, url: str) -> HttpUpstream:
    said = settings.upstream
    return HttpUpstream(url, connect_seconds=said.connect_seconds, idle_seconds=said.idle_seconds)


def key_of(provider: Provider, environ: Mapping[str, str]) -> Secret | None:
    """Our key for a provider; None where it has none, or the client's is shown. Raises ConfigError."""
    if not provider.key or provider.key == CALLERS:
        return None
    return resolve(provider.key, f"providers.{provider.name}.key", environ)


@asynccontextmanager
async def opened(destinations: Destinations) -> AsyncIterator[None]:
    """While inside, calls can be sent."""
    async with AsyncExitStack() as stack:
        for each in destinations.everyone:
            if isinstance(each.upstream, HttpUpstream):
                await stack.enter_async_context(each.upstream)
        yield
