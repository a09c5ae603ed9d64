"""Alerts as JSON to a server of the user's own, signed so that it can tell them from anybody else's.

The header `x-underspend-signature` is `t=<seconds>,v1=<hex>`: the time of this delivery in seconds since the epoch, and
HMAC-SHA256 with the shared secret over that number, a dot, and the body's bytes. `verify` says how it is checked.
`x-underspend-alert` is the alert's id, equal for every try, so that a receiver takes none twice.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping

from underspend.core.alerts import Alert
from underspend.integrations.alerts.post import SECONDS, post
from underspend.integrations.alerts.sending import Text, shape

SIGNATURE, ALERT_ID = "x-underspend-signature", "x-underspend-alert"
TOLERANCE = 300
"""Seconds by which a receiver lets clocks differ."""

_MICROS = 1_000_000
_SIGNED = re.compile(r"t=([0-9]{1,15}),v1=([0-9a-f]{64})")


class Webhook:
    """A server that gets signed JSON."""

    def __init__(self, url: Text, secret: Text, *, seconds: float = SECONDS) -> None:
        self._url = url
        self._secret = secret
        self._seconds = seconds

    def send(self, alert: Alert, now: int) -> None:
        """Deliver once. Raises NotSentError, ConfigError."""
        body = body_of(alert)
        post(self._url(), body, headers_of(alert, body, self._secret(), now), seconds=self._seconds)


def body_of(alert: Alert) -> bytes:
    """The body: the JSON of `sending.shape`, in ASCII."""
    return json.dumps(shape(alert), separators=(",", ":")).encode("ascii")


def headers_of(alert: Alert, body: bytes, secret: str, now: int) -> Mapping[str, str]:
    """The headers of a delivery at an instant (µs since the epoch)."""
    return {
        "content-type": "application/json",
        ALERT_ID: alert.id,
        SIGNATURE: signature(body, secret, now // _MICROS),
    }


def signature(body: bytes, secret: str, at: int) -> str:
    """The header of a body signed at a second since the epoch."""
    return f"t={at},v1={_mac(body, secret, at)}"


def verify(header: str, body: bytes, secret: str, now: int, tolerance: int = TOLERANCE) -> bool:
    """Whether a header fits a body and is of about now (seconds since the epoch): what a receiver has to do.

    The comparison takes the same time wherever it differs. What is not as it should be is False, never an error.
    """
    signed = _SIGNED.fullmatch(header)
    if signed is None or abs(now - int(signed[1])) > tolerance:
        return False
    return hmac.compare_digest(_mac(body, secret, int(signed[1])), signed[2])


def _mac(body: bytes, secret: str, at: int) -> str:
    return hmac.new(secret.encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest()
