"""Talking to the gateway that runs on this machine, over HTTP, with the standard library alone."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from underspend.config import Settings
from underspend.core.errors import UnreachableError
from underspend.web.address import base_url

START = "`underspend up` starts it."
_SECONDS = 5.0
_OK = 200


def get_json(settings: Settings, path: str) -> Any:
    """The JSON at a path of the gateway, numbers with a point as Decimal. Raises UnreachableError."""
    url = base_url(settings)
    try:
        with closing(_connection(url)) as connection:
            reply = _asked(connection, settings, path, url)
            return json.loads(reply.read(), parse_float=Decimal)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unreachable(url, error) from error


def post_json(settings: Settings, path: str, said: object) -> Any:
    """The JSON that the gateway answers to JSON at a path. Raises UnreachableError."""
    url = base_url(settings)
    try:
        with closing(_connection(url)) as connection:
            return json.loads(_asked(connection, settings, path, url, json.dumps(said).encode()).read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unreachable(url, error) from error


def events(settings: Settings, path: str) -> Iterator[Any]:
    """The JSON of each server-sent event at a path, for as long as it lasts.

    Raises UnreachableError when nothing answers, also once it no longer does.
    """
    url = base_url(settings)
    try:
        with closing(_connection(url)) as connection:
            reply = _asked(connection, settings, path, url)
            if connection.sock is not None:
                connection.sock.settimeout(None)
            while line := reply.readline():
                if line.startswith(b"data:"):
                    yield json.loads(line[5:], parse_float=Decimal)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unreachable(url, error) from error
    raise UnreachableError(url=url, problem="the gateway stopped", mend=START)


def _connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=_SECONDS)


def _asked(
    connection: http.client.HTTPConnection, settings: Settings, path: str, url: str, body: bytes | None = None
) -> http.client.HTTPResponse:
    key = settings.gateway.access_key
    headers = {"x-underspend-key": key} if key else {}
    connection.request("GET" if body is None else "POST", path, body, headers)
    reply = connection.getresponse()
    if reply.status != _OK:
        problem = f"it answers {reply.status} to {path}; perhaps it is another program"
        raise UnreachableError(url=url, problem=problem, mend="Choose another --port for the gateway, or stop that.")
    return reply


def _unreachable(url: str, error: Exception) -> UnreachableError:
    refused = isinstance(error, ConnectionRefusedError)
    return UnreachableError(url=url, problem="no gateway runs there" if refused else str(error), mend=START)
