"""Opening connections: names, families, TLS, proxies, and a clear line for whatever does not work."""

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from raw_upstream import narrow, on_both_loops, play, reply, saying, serving

from underspend.gateway import dialling
from underspend.gateway.dialling import Proxy, dial, proxy_for
from underspend.gateway.transport import UpstreamUnreachableError
from underspend.gateway.upstream import HttpUpstream

PEM = Path(__file__).parents[1] / "fixtures" / "tls" / "loopback.pem"
BIG = bytes(range(256)) * 12_000


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def trusted(monkeypatch):
    """Trust in the tests' own certificate, which is for upstream.test and 127.0.0.1."""
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    dialling._trust.cache_clear()
    yield
    dialling._trust.cache_clear()


@pytest.fixture
def untrusted(monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    dialling._trust.cache_clear()
    yield
    dialling._trust.cache_clear()


def tls():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    return context


async def ask(url, *, method="GET", body=None, headers=(), connect=5.0, idle=5.0):
    async with HttpUpstream(url, connect_seconds=connect, idle_seconds=idle) as upstream:
        got = await upstream.send(method, "/x", list(headers), body)
        return got.status, b"".join([chunk async for chunk in got.chunks])


# ---- names and families


@on_both_loops
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_both_families(loop, host):
    async def main():
        async with serving(saying(reply(b"ok")), host=host) as server:
            assert await ask(server.url) == (200, b"ok")

    play(main, loop)


@on_both_loops
def test_a_name_is_tried_at_each_of_its_addresses(loop):
    async def main():
        async with serving(saying(reply(b"ok"))) as server:  # listens on one family only
            assert await ask(f"http://localhost:{server.port}") == (200, b"ok")

    play(main, loop)


@on_both_loops
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:1", "^127.0.0.1: .*(refused|failed)"),
        ("http://name.invalid", "^name.invalid: "),
        ("http://a..b", "^a..b: "),
        (f"http://{'a' * 70}.test", "^a{70}.test: "),
        ("http://127.0.0.1:99999", "^127.0.0.1: Port out of range"),
        ("http://127.0.0.1:x", "^127.0.0.1: Port could not be cast"),
    ],
)
def test_what_cannot_be_reached_says_why(loop, url, why):
    with pytest.raises(UpstreamUnreachableError, match=why):
        play(lambda: ask(url), loop)


@on_both_loops
def test_the_time_to_connect_is_limited(loop, trusted):
    async def main():
        async with serving(saying(5.0)) as server:  # never shakes hands
            with pytest.raises(UpstreamUnreachableError, match=r"127.0.0.1: no connection within 0.05 s"):
                await ask(f"https://127.0.0.1:{server.port}", connect=0.05)
            await server.is_left(1)

    play(main, loop)


@on_both_loops
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_giving_up_while_it_connects_leaves_nothing_open(loop, scheme, monkeypatch, trusted):
    async def handle(reader, writer):
        await reader.read(1)
        await reader.read()

    async def main():
        async with serving(handle) as server:
            asked = asyncio.ensure_future(ask(f"{scheme}://127.0.0.1:{server.port}"))
            while not server.connections:
                await asyncio.sleep(0.001)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            await server.is_left(1)

    play(main, loop)


def test_giving_up_while_a_name_is_looked_up():
    async def main():
        async def forever(*_args, **_options):
            await asyncio.sleep(60)

        asyncio.get_running_loop().getaddrinfo = forever
        with pytest.raises(UpstreamUnreachableError, match="no connection within"):
            await ask("http://upstream.test", connect=0.02)

    play(main)


@on_both_loops
def test_a_silent_connection_is_kept_alive_below_http(loop):
    """A model thinks for minutes; routers forget a connection on which nothing passes."""

    async def main():
        async with serving(saying(reply(b"ok"))) as server:
            made = await dial(urlsplit(server.url), None, 5, asyncio.Protocol)
            assert made is not None
            link = await dialling._connected("127.0.0.1", server.port)
            assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 60
            link.close()
            await asyncio.sleep(0.01)

    play(main, loop)


# ---- TLS


@on_both_loops
def test_tls(loop, trusted):
    async def main():
        async with serving(saying(reply(BIG)), tls=tls()) as server:
            assert await ask(server.url) == (200, BIG)
            assert await ask(server.url, method="POST", body=BIG) == (200, BIG)

    play(main, loop)


@on_both_loops
@pytest.mark.parametrize("slow", ["reader", "writer"])
def test_tls_waits_for_whoever_is_slow(loop, trusted, slow, monkeypatch):
    connected = dialling._connected

    async def narrowed(host, port):
        link = await connected(host, port)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        return link

    async def handle(reader, writer):
        narrow(writer)
        await reader.readuntil(b"\r\n\r\n")
        left = len(BIG) * 4
        while left:
            left -= len(await reader.read(300_000))
            await asyncio.sleep(0.004 if slow == "writer" else 0)
        writer.write(reply(BIG * 4))
        await writer.drain()
        await reader.read()

    async def main():
        async with (
            serving(handle, tls=tls()) as server,
            HttpUpstream(server.url, connect_seconds=5, idle_seconds=0.2) as upstream,
        ):
            monkeypatch.setattr(dialling, "_connected", narrowed)
            got = await upstream.send("POST", "/", [], BIG * 4)
            parts = []
            async for chunk in got.chunks:
                parts.append(chunk)
                if slow == "reader" and len(parts) < 4:
                    await asyncio.sleep(0.2)
            assert b"".join(parts) == BIG * 4
            assert len(upstream._free) == 1

    play(main, loop)


@on_both_loops
def test_one_tls_connection_for_many_calls(loop, trusted):
    async def main():
        async with (
            serving(saying(reply(b"ok")), tls=tls()) as server,
            HttpUpstream(server.url, connect_seconds=5, idle_seconds=5) as upstream,
        ):
            for _ in range(5):
                got = await upstream.send("POST", "/", [], b"abc")
                assert [chunk async for chunk in got.chunks] == [b"ok"]
            assert server.connections == 1

    play(main, loop)


@on_both_loops
def test_a_certificate_for_another_name(loop, trusted):
    async def main():
        async with serving(saying(reply(b"ok")), tls=tls()) as server:
            await ask(f"https://localhost:{server.port}")

    with pytest.raises(UpstreamUnreachableError, match=r"^localhost: its certificate is not .*: Hostname mismatch"):
        play(main, loop)


@on_both_loops
def test_a_certificate_of_nobody_we_trust(loop, untrusted):
    async def main():
        async with serving(saying(reply(b"ok")), tls=tls()) as server:
            await ask(server.url)

    with pytest.raises(UpstreamUnreachableError, match=r"not trusted: self-signed certificate \(SSL_CERT_FILE"):
        play(main, loop)


@on_both_loops
def test_a_server_that_speaks_no_tls(loop, trusted):
    async def handle(reader, writer):
        await reader.read(10)
        writer.write(reply(b"plain"))
        await reader.read()

    async def main():
        async with serving(handle) as server:
            await ask(f"https://127.0.0.1:{server.port}")

    with pytest.raises(UpstreamUnreachableError, match=r"^127.0.0.1: .*(WRONG_VERSION|SSL|RECORD)"):
        play(main, loop)


# ---- proxies


@pytest.mark.parametrize(
    ("environment", "url", "found"),
    [
        ({}, "https://upstream.test", None),
        ({"HTTPS_PROXY": "http://proxy.test:3128"}, "https://upstream.test", Proxy("proxy.test", 3128)),
        ({"https_proxy": "proxy.test:3128"}, "https://upstream.test", Proxy("proxy.test", 3128)),
        ({"HTTPS_PROXY": "http://proxy.test"}, "https://upstream.test", Proxy("proxy.test", 80)),
        ({"HTTPS_PROXY": "http://[::2]:8080"}, "https://upstream.test", Proxy("::2", 8080)),
        ({"ALL_PROXY": "http://proxy.test:1"}, "https://upstream.test", Proxy("proxy.test", 1)),
        ({"HTTPS_PROXY": "http://proxy.test:1"}, "http://upstream.test", None),
        (
            {"HTTPS_PROXY": "http://me:p%40ss@proxy.test:1"},
            "https://u.test",
            Proxy("proxy.test", 1, b"Basic bWU6cEBzcw=="),
        ),
        *[
            ({"HTTPS_PROXY": "http://proxy.test:1", "NO_PROXY": names}, "https://api.upstream.test", None)
            for names in ("*", "upstream.test", ".upstream.test", "x.test, api.upstream.test", "api.upstream.test:443")
        ],
        ({"HTTPS_PROXY": "http://p.test:1", "NO_PROXY": "eam.test"}, "https://upstream.test", Proxy("p.test", 1)),
        *[
            ({"ALL_PROXY": "http://proxy.test:1"}, f"http://{host}:8080", None)
            for host in ("127.0.0.1", "127.0.0.2", "localhost", "[::1]", "x.localhost")
        ],
    ],
)
def test_the_proxy_that_the_environment_names(monkeypatch, environment, url, found):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(urlsplit(url)) == found


@pytest.mark.parametrize("named", ["socks5://me:secret@proxy.test:1", "https://me:secret@proxy.test", "http://"])
def test_a_proxy_that_is_not_spoken(monkeypatch, named):
    monkeypatch.setenv("ALL_PROXY", named)
    with pytest.raises(UpstreamUnreachableError, match="only http:// proxies") as caught:
        proxy_for(urlsplit("https://upstream.test"))
    assert "secret" not in str(caught.value)


@asynccontextmanager
async def tunnelling(monkeypatch, to, *, answer=b"HTTP/1.1 200 Connection established\r\n\r\n", user=""):
    """A proxy that tunnels to a port of this machine, whatever it is asked for; yields the heads it was sent."""
    heads = []

    async def handle(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        if not answer.split(b" ")[1].startswith(b"2"):
            await reader.read()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", to)
        try:
            await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))
        finally:
            there_writer.transport.abort()

    async with serving(handle) as proxy:
        for name in ("HTTPS_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://{user}127.0.0.1:{proxy.port}")
        yield heads, proxy


async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.transport.abort()


@on_both_loops
@pytest.mark.parametrize(("user", "sent"), [("", b""), ("me:secret@", b"proxy-authorization: Basic bWU6c2VjcmV0\r\n")])
def test_https_goes_through_a_tunnel(loop, trusted, monkeypatch, user, sent):
    async def main():
        async with (
            serving(saying(reply(BIG)), tls=tls()) as server,
            tunnelling(monkeypatch, server.port, user=user) as (heads, _),
        ):
            assert await ask("https://upstream.test:8443") == (200, BIG)
        asked = b"CONNECT upstream.test:8443 HTTP/1.1\r\nhost: upstream.test:8443\r\n"
        assert heads == [asked + sent + b"\r\n"]

    play(main, loop)


def test_the_tunnel_to_an_address_of_the_sixth_version(trusted, monkeypatch):
    async def main():
        async with (
            serving(saying(reply(b"ok")), tls=tls()) as server,
            tunnelling(monkeypatch, server.port) as (heads, _),
        ):
            with pytest.raises(UpstreamUnreachableError, match="IP address mismatch"):
                await ask("https://[2001:db8::1]")
            assert heads[0].startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nhost: [2001:db8::1]:443\r\n")

    play(main)


@on_both_loops
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "said: HTTP/1.1 407 Proxy Authentication Required"),
        (b"HTTP/1.0 403 Forbidden\r\ncontent-length: 3\r\n\r\nno!", "said: HTTP/1.0 403 Forbidden"),
        (b"SSH-2.0 500 x\r\n\r\n", "said: SSH-2.0 500 x"),
        (b"HTTP/1.1 500 x\r\n" + b"y" * 100_000, "did not answer"),
    ],
)
def test_a_proxy_that_refuses(loop, trusted, monkeypatch, answer, why):
    async def main():
        async with tunnelling(monkeypatch, 1, answer=answer) as (_, proxy):
            with pytest.raises(UpstreamUnreachableError, match=rf"^the proxy 127.0.0.1:\d+ {why}"):
                await ask("https://upstream.test")
            await proxy.is_left(1)

    play(main, loop)


@on_both_loops
def test_a_proxy_that_is_not_there_is_the_one_named(loop, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with pytest.raises(UpstreamUnreachableError, match=r"^the proxy 127.0.0.1:1: "):
        play(lambda: ask("https://upstream.test"), loop)


@on_both_loops
@pytest.mark.parametrize(("user", "sent"), [("", b""), ("me:secret@", b"proxy-authorization: Basic bWU6c2VjcmV0\r\n")])
def test_a_proxy_is_asked_to_forward_http(loop, monkeypatch, user, sent):
    heads = []

    async def handle(reader, writer):
        while True:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(reply(b"ok"))

    async def main():
        async with serving(handle) as proxy:
            monkeypatch.setenv("HTTP_PROXY", f"http://{user}127.0.0.1:{proxy.port}")
            async with HttpUpstream("http://upstream.test:81/base", connect_seconds=5, idle_seconds=5) as upstream:
                for _ in range(2):
                    got = await upstream.send("GET", "/x?y=1", [(b"a", b"b")], None)
                    assert [chunk async for chunk in got.chunks] == [b"ok"]
            assert proxy.connections == 1

    play(main, loop)
    asked = b"GET http://upstream.test:81/base/x?y=1 HTTP/1.1\r\nhost: upstream.test:81\r\n" + sent + b"a: b\r\n\r\n"
    assert heads == [asked, asked]


def test_this_machine_is_reached_without_a_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    async def main():
        async with serving(saying(reply(b"ok"))) as server:
            assert await ask(server.url) == (200, b"ok")

    play(main)
