"""One POST over HTTPS with the standard library: no redirect, no second try, a deadline for the whole of it.

Where a request goes is the operator's own setting and never part of what is sent, so no call can steer it. Besides:
another machine is reached by https alone with its certificate checked, so an internal service cannot be talked to by
pointing a name at it; the name is looked up once and that address is connected to; addresses that only a machine's own
surroundings have (link-local, where clouds keep credentials, multicast, unspecified) are refused; redirects are not
followed; the reply's body is not read. Private addresses are allowed: receivers of one's own stand there.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from underspend.integrations.alerts.sending import NotSentError, why

SECONDS = 10.0
_STRANGE = "it does not answer as a web server does"
_AGAIN = frozenset({408, 425, 429})
_SERVER_ERRORS = 500
_GOOD = range(200, 300)
_REDIRECTS = range(300, 400)


def post(url: str, body: bytes, headers: Mapping[str, str], *, seconds: float = SECONDS) -> None:
    """Send a body. Returns when the answer is a 2xx; raises NotSentError, which names the host alone, when it is not.

    `url` has been checked (`config.alerts.check_url`). Proxies of the environment are used for https.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        with _deadline(seconds) as deadline:
            status, after = _asked(parts, body, headers, deadline)
    except ssl.SSLCertVerificationError as error:
        raise NotSentError(f"{host}: its certificate is not accepted ({error.verify_message})", again=False) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = f"no answer within {seconds:g} s" if deadline.passed else why(error, seconds, _STRANGE)
        raise NotSentError(f"{host}: {reason}", again=True) from None
    if status in _GOOD:
        return
    if status in _REDIRECTS:
        raise NotSentError(f"{host} answers {status}; redirects are not followed", again=False)
    raise NotSentError(f"{host} answers {status}", again=status in _AGAIN or status >= _SERVER_ERRORS, after=after)


def _asked(parts: SplitResult, body: bytes, headers: Mapping[str, str], deadline: _Deadline) -> tuple[int, int]:
    """The status, and the seconds that `retry-after` asks for."""
    with contextlib.closing(_connected(parts, deadline)) as connection:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        ours = {"host": parts.netloc, "connection": "close", "user-agent": "underspend"}
        connection.request("POST", path, body, {**headers, **ours})
        with contextlib.closing(connection.getresponse()) as reply:
            after = reply.getheader("retry-after") or ""
            return reply.status, int(after) if after.isascii() and after.isdigit() and len(after) < 7 else 0  # noqa: PLR2004  # days are no retry


def _connected(parts: SplitResult, deadline: _Deadline) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    proxy = _proxy(host) if parts.scheme == "https" else None
    if proxy is not None:
        tunnel = http.client.HTTPSConnection(
            proxy.hostname or "", proxy.port or 80, timeout=deadline.seconds, context=_tls()
        )
        tunnel.set_tunnel(host, port)
        try:
            tunnel.connect()
        except BaseException:
            tunnel.close()
            raise
        deadline.sockets.append(tunnel.sock)
        return tunnel
    connection = http.client.HTTPConnection(host, port, timeout=deadline.seconds)
    plain = _dialled(host, port, deadline.seconds, is_local=parts.scheme == "http")
    deadline.sockets.append(plain)
    connection.sock = plain
    if parts.scheme == "https":
        secured = _tls().wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        deadline.sockets.append(secured)
        secured.do_handshake()
        connection.sock = secured
    return connection


def _dialled(host: str, port: int, seconds: float, *, is_local: bool) -> socket.socket:
    """A connection to the first of a host's addresses that takes one. Raises OSError."""
    problem: OSError = OSError("the name has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        _check_address(str(address[0]), is_local=is_local)
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(seconds)
            made.connect(address)
        except OSError as error:
            made.close()
            problem = error
        else:
            return made
    raise problem


def _check_address(text: str, *, is_local: bool) -> None:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    refused = address.is_link_local or address.is_multicast or address.is_unspecified
    if refused or (is_local and not address.is_loopback):
        raise NotSentError("its address is one that alerts are not sent to", again=False)


def _proxy(host: str) -> SplitResult | None:
    """The environment's proxy for https; None where there is none, or not for this host."""
    url = getproxies().get("https")
    if not url or proxy_bypass(host):
        return None
    proxy = urlsplit(url if "://" in url else f"http://{url}")
    return proxy if proxy.scheme == "http" and proxy.hostname else None


@dataclass(slots=True)
class _Deadline:
    """The connections that are cut when time is over, and whether it is."""

    seconds: float
    sockets: list[socket.socket] = field(default_factory=list)
    passed: bool = False

    def cut(self) -> None:
        self.passed = True
        for each in self.sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)  # a TLS socket's own would not do, from another thread


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[_Deadline]:
    """A deadline for all of it: a timeout of a socket begins anew with each byte."""
    made = _Deadline(seconds)
    timer = threading.Timer(seconds, made.cut)
    timer.daemon = True
    timer.start()
    try:
        yield made
    finally:
        timer.cancel()
        for each in made.sockets:
            each.close()


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
