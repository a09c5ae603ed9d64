"""Where the gateway is reached from this machine."""

from __future__ import annotations

from underspend.config import Settings

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104  # named, not bound


def base_url(settings: Settings) -> str:
    """The URL of the gateway these settings start: one that listens everywhere is reached by loopback."""
    host = _LOOPBACK.get(settings.gateway.host, settings.gateway.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.gateway.port}"
