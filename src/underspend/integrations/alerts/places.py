"""The places of the settings → what sends there. Secrets are looked up for each delivery, so that they may change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from underspend.config.alerts import DesktopTo, EmailTo, SlackTo, To, WebhookTo, check_url
from underspend.integrations.alerts.desktop import Desktop
from underspend.integrations.alerts.email import Email
from underspend.integrations.alerts.sending import Sender, Text
from underspend.integrations.alerts.slack import Slack
from underspend.integrations.alerts.webhook import Webhook
from underspend.providers.keys import KINDS, resolve


@dataclass(frozen=True, slots=True)
class Place:
    """Where alerts go: what the settings say of it, and what sends there."""

    said: To
    sender: Sender


def places_of(said: Sequence[To], environ: Mapping[str, str]) -> tuple[Place, ...]:
    """The places in their order. A secret that is missing is an error when something is sent, not before."""
    return tuple(Place(each, _sender(each, environ)) for each in said)


def _sender(said: To, environ: Mapping[str, str]) -> Sender:
    where = f"[[alerts.to]] {said.name}"
    match said:
        case WebhookTo():
            return Webhook(_url(said.url, where, environ), _secret(said.secret, f"{where} secret", environ))
        case SlackTo():
            return Slack(_url(said.url, where, environ))
        case DesktopTo():
            return Desktop()
        case EmailTo():
            return Email(said, _secret(said.password, f"{where} password", environ))
        case _:
            assert_never(said)


def _secret(reference: str, where: str, environ: Mapping[str, str]) -> Text:
    return lambda: resolve(reference, where, environ).reveal()


def _url(said: str, where: str, environ: Mapping[str, str]) -> Text:
    def look_up() -> str:
        url = resolve(said, f"{where} url", environ).reveal() if said.startswith(KINDS) else said
        check_url(url, f"{where} url")
        return url

    return look_up
