"""Requests for providers, as the gateway makes them."""

from underspend.providers.provider import Outgoing

BODY = b'{"model":"m","max_tokens":5,"stream":true,"messages":[]}'


def outgoing(**changes):
    said = {"dialect": "anthropic", "endpoint": "messages", "model": "m", "body": BODY, "stream": False}
    return Outgoing(**{**said, **changes})
