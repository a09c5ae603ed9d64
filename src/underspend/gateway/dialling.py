"""Opening connections to an upstream: names, both IP families, TLS, and a proxy where the environment names one."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohappyeyeballs

from underspend.gateway.transport import UpstreamUnreachableError

_NEXT_ADDRESS_SECONDS = 0.25  # RFC 8305: the next address is tried when the last has not answered by then
_PORTS = {"http": 80, "https": 443}
_TUNNEL_LIMIT = 64 * 1024
_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 60, "TCP_KEEPCNT": 5}
"""Seconds and tries, as the provider's own clients have them: routers forget connections on which a model thinks."""

_OPENED = re.compile(r"HTTP/1\.\d 2\d\d(?: |$)")

Made = TypeVar("Made", bound=asyncio.Protocol)


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy. `authorization` is its header's value, None without a user."""

    host: str
    port: int
    authorization: bytes | None = None


def proxy_for(url: SplitResult) -> Proxy | None:
    """The proxy that the environment (or the system) names for a URL; none for this machine.

    Raises UpstreamUnreachableError for a kind of proxy that is not spoken here, or an address that is none.
    """
    host = url.hostname or ""
    if _is_this_machine(host) or proxy_bypass(f"{host}:{_port(url)}"):
        return None
    named = getproxies()
    found = named.get(url.scheme) or named.get("all")
    if not found:
        return None
    parts = urlsplit(found if "://" in found else f"http://{found}")
    if parts.scheme != "http" or not parts.hostname:
        raise UpstreamUnreachableError(f"the proxy {parts.scheme}://{parts.hostname}: only http:// proxies are spoken")
    authorization = None
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = b"Basic " + base64.b64encode(user.encode())
    return Proxy(parts.hostname, _port(parts), authorization)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _port(url: SplitResult) -> int:
    try:
        return url.port or _PORTS[url.scheme]
    except ValueError as error:
        raise UpstreamUnreachableError(f"{url.hostname}: {error}") from error


async def dial(url: SplitResult, proxy: Proxy | None, seconds: float, protocol: Callable[[], Made]) -> Made:
    """A connection to the URL's server, with TLS for https, through the proxy where there is one.

    For http a proxy is left to forward each request, which then has to name the server in its target (RFC 9112
    §3.2.2). Raises UpstreamUnreachableError when no connection is made within `seconds`.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _dial(url, proxy, protocol)
    except TimeoutError as error:
        raise UpstreamUnreachableError(f"{url.hostname}: no connection within {seconds:g} s") from error
    except ssl.SSLCertVerificationError as error:
        why = f"its certificate is not trusted: {error.verify_message}"
        raise UpstreamUnreachableError(f"{url.hostname}: {why} (SSL_CERT_FILE names a file of authorities)") from error
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a name that is none; uvloop's RuntimeError
        raise UpstreamUnreachableError(f"{url.hostname}: {_reason(error)}") from error


async def _dial(url: SplitResult, proxy: Proxy | None, protocol: Callable[[], Made]) -> Made:
    loop = asyncio.get_running_loop()
    host, secure = url.hostname or "", url.scheme == "https"
    link = await _connected(host, _port(url)) if proxy is None else await _connected_to_proxy(proxy)
    try:
        if proxy is not None and secure:
            await _tunnel(link, f"[{host}]:{_port(url)}" if ":" in host else f"{host}:{_port(url)}", proxy)
        _, made = await loop.create_connection(
            protocol, sock=link, ssl=_trust() if secure else None, server_hostname=host if secure else None
        )
    except BaseException:
        link.close()
        raise
    return made


async def _connected_to_proxy(proxy: Proxy) -> socket.socket:
    try:
        return await _connected(proxy.host, proxy.port)
    except (OSError, ValueError, RuntimeError) as error:
        raise UpstreamUnreachableError(f"the proxy {proxy.host}:{proxy.port}: {_reason(error)}") from error


async def _connected(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    link = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS, loop=loop)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEP_ALIVE.items():
        if hasattr(socket, option):  # each system has its own
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return link


async def _tunnel(link: socket.socket, authority: str, proxy: Proxy) -> None:
    """Ask the proxy for a way through (RFC 9110 §9.3.6)."""
    loop = asyncio.get_running_loop()
    lines = [f"CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n".encode()]
    if proxy.authorization is not None:
        lines.append(b"proxy-authorization: " + proxy.authorization + b"\r\n")
    await loop.sock_sendall(link, b"".join([*lines, b"\r\n"]))
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = await loop.sock_recv(link, 4096)
        answer += piece
        if not piece or len(answer) > _TUNNEL_LIMIT:
            raise UpstreamUnreachableError(f"the proxy {proxy.host}:{proxy.port} did not answer")
    status = answer.split(b"\r\n", 1)[0].decode("latin-1")
    if not _OPENED.match(status):
        raise UpstreamUnreachableError(f"the proxy {proxy.host}:{proxy.port} said: {status}")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


@cache
def _trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
