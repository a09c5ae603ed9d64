import asyncio
from contextlib import asynccontextmanager

import pytest
from raw_upstream import CUT, RawUpstream, on_both_loops, play, reply, request_from, saying, serving

from underspend.gateway import upstream as module
from underspend.gateway.transport import UpstreamCutError, UpstreamUnreachableError
from underspend.gateway.upstream import HttpUpstream


def ask(url, *, connect=5, idle=5, target="/x", headers=(), body=None, take=None):
    async def play():
        async with HttpUpstream(url, connect_seconds=connect, idle_seconds=idle) as upstream:
            got = await upstream.send("POST", target, list(headers), body)
            chunks = []
            async for chunk in got.chunks:
                chunks.append(chunk)
                if take is not None and len(chunks) >= take:
                    break
            await got.chunks.aclose()
            return got, b"".join(chunks)

    return asyncio.run(play())


def test_nothing_is_added_but_the_host_and_the_length():
    with RawUpstream() as upstream:
        ask(upstream.url, headers=[(b"x-a", b"1")], body=b"abc")
        names = sorted(name.lower() for name, _ in upstream.received[0].headers)
    assert names == [b"content-length", b"host", b"x-a"]


def test_a_base_url_may_carry_a_path():
    with RawUpstream() as upstream:
        ask(f"{upstream.url}/base/", target="/v1/messages?b=1")
        assert upstream.received[0].request_line == b"POST /base/v1/messages?b=1 HTTP/1.1"


def test_redirects_are_the_clients_business():
    with RawUpstream() as upstream:
        upstream.script = lambda received: iter([reply(b"", status=b"302 Found", headers=(b"location: /y",))])
        assert ask(upstream.url)[0].status == 302
        assert len(upstream.received) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://name.invalid"])
def test_nobody_there(url):
    with pytest.raises(UpstreamUnreachableError):
        ask(url)


def test_a_connection_that_breaks_before_the_head():
    with RawUpstream() as upstream:
        upstream.script = lambda received: iter([CUT])
        with pytest.raises(UpstreamUnreachableError):
            ask(upstream.url)


def test_a_body_that_breaks_off():
    with RawUpstream() as upstream:
        upstream.script = lambda received: iter([reply(b"0123456789")[:-3], CUT])
        with pytest.raises(UpstreamCutError):
            ask(upstream.url)


def test_silence_past_the_limit_is_a_cut():
    import time

    def script(received):
        yield reply(b"0123456789")[:-3]
        time.sleep(1)

    with RawUpstream(script=script) as upstream, pytest.raises(UpstreamCutError):
        ask(upstream.url, idle=0.2)


def test_leaving_early_closes_the_connection():
    import time

    def script(received):
        yield b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"
        for _ in range(100):
            time.sleep(0.01)
            yield b"1\r\nb\r\n"

    with RawUpstream(script=script) as upstream:
        ask(upstream.url, take=1)
        assert upstream.aborted.wait(5)


@asynccontextmanager
async def pooled(handler, *, idle=5.0, host="127.0.0.1"):
    async with (
        serving(handler, host=host) as server,
        HttpUpstream(server.url, connect_seconds=5, idle_seconds=idle) as upstream,
    ):
        yield upstream, server
        if server.left < server.connections:
            assert upstream._busy == set(), "an exchange was never freed"


async def read(got):
    return b"".join([chunk async for chunk in got.chunks])


async def call(upstream, method="GET", body=None, headers=()):
    return await read(await upstream.send(method, "/x", list(headers), body))


async def several(*pieces):
    for piece in pieces:
        yield piece


# ---- what goes out


@pytest.mark.parametrize(
    ("method", "headers", "body", "fields", "sent"),
    [
        ("GET", [], None, [], b""),
        ("GET", [(b"content-length", b"0")], None, [(b"content-length", b"0")], b""),
        ("POST", [], None, [(b"content-length", b"0")], b""),
        ("POST", [], b"", [(b"content-length", b"0")], b""),
        ("POST", [(b"content-length", b"3")], b"abc", [(b"content-length", b"3")], b"abc"),
        ("POST", [(b"content-length", b"3")], several(b"a", b"bc"), [(b"content-length", b"3")], b"abc"),
        ("PUT", [], several(b"a", b"", b"bc"), [(b"transfer-encoding", b"chunked")], b"abc"),
        ("DELETE", [], None, [], b""),
        ("DELETE", [], b"abc", [(b"content-length", b"3")], b"abc"),
    ],
)
def test_the_length_is_said_once_as_it_was_given(method, headers, body, fields, sent):
    with RawUpstream() as upstream:

        async def main():
            async with HttpUpstream(upstream.url, connect_seconds=5, idle_seconds=5) as pool:
                await call(pool, method, body, headers)

        play(main)
        got = upstream.received[0]
    host = (b"host", upstream.url.removeprefix("http://").encode())
    assert (got.headers, got.body) == ([host, *fields], sent)


def test_repeated_headers_keep_their_order_and_bytes():
    headers = [(b"x-b", b"2"), (b"x-a", b"1"), (b"x-b", b"\xff caf\xe9"), (b"x-empty", b"")]
    with RawUpstream() as upstream:
        ask(upstream.url, headers=headers)
        assert upstream.received[0].headers[1:] == [*headers, (b"content-length", b"0")]


@pytest.mark.parametrize(
    ("url", "name", "target"),
    [
        ("http://[::1]:81", "[::1]:81", "/x"),
        ("https://me:secret@Upstream.test/a b/?q=1#f", "Upstream.test", "/a%20b/x"),
        ("https://bücher.test:81/é%2F", "xn--bcher-kva.test:81", "/%C3%A9%2F/x"),
        ("https://" + "ü" * 70 + ".test", "%C3%BC" * 70 + ".test", "/x"),
    ],
)
def test_a_base_url_goes_out_in_ascii_and_without_what_is_not_upstreams(url, name, target):
    upstream = HttpUpstream(url, connect_seconds=5, idle_seconds=5)
    assert upstream.name == name
    head = upstream._head(None, "GET", "/x", [], None)
    assert head == f"GET {target} HTTP/1.1\r\nhost: {name}\r\n\r\n".encode()


def test_before_it_is_opened_nothing_is_sent():
    async def main():
        with pytest.raises(UpstreamUnreachableError):
            await HttpUpstream("http://127.0.0.1:1", connect_seconds=5, idle_seconds=5).send("GET", "/", [], None)

    play(main)


# ---- connections that are kept


@on_both_loops
def test_one_connection_for_many_calls(loop):
    async def main():
        async with pooled(saying(reply(b"ok"))) as (upstream, server):
            for method, body in [("GET", None), ("POST", b"abc"), ("POST", None)] * 5:
                assert await call(upstream, method, body) == b"ok"
            assert server.connections == 1

    play(main, loop)


@on_both_loops
def test_calls_at_once_never_share_a_connection(loop):
    async def handle(reader, writer):
        while True:
            head, _ = await request_from(reader)
            await asyncio.sleep(0.01)
            writer.write(reply(head.split(b" ")[1]))

    async def main():
        async with pooled(handle) as (upstream, server):

            async def one(number):
                for _ in range(3):
                    got = await upstream.send("GET", f"/{number}", [], None)
                    assert len(upstream._busy | set(upstream._free)) <= 20
                    assert await read(got) == b"/%d" % number

            await asyncio.gather(*[one(number) for number in range(20)])
            assert server.connections == 20
            assert len(upstream._free) == 20

    play(main, loop)


def test_a_connection_is_not_kept_before_its_reply_is_read():
    async def main():
        async with pooled(saying(reply(b"ok"))) as (upstream, server):
            first = await upstream.send("GET", "/", [], None)
            await asyncio.sleep(0.01)
            second = await upstream.send("GET", "/", [], None)
            assert (await read(first), await read(second)) == (b"ok", b"ok")
            assert server.connections == 2

    play(main)


@on_both_loops
@pytest.mark.parametrize("closing", [(b"connection: close",), (b"Connection: x, Close",)])
def test_a_connection_that_upstream_wants_closed_is_not_used_again(loop, closing):
    async def main():
        async with pooled(saying(reply(b"ok", headers=closing))) as (upstream, server):
            for _ in range(3):
                assert await call(upstream) == b"ok"
            assert server.connections == 3
            await server.is_left(3)
            assert (upstream._free, upstream._busy) == ([], set())

    play(main, loop)


def test_all_kept_connections_expire_even_those_that_were_not_needed_again(monkeypatch):
    async def main():
        now = 1000.0
        monkeypatch.setattr(module, "_now", lambda: now)
        async with pooled(saying(0.01, reply(b"ok"))) as (upstream, server):
            await asyncio.gather(*[call(upstream) for _ in range(3)])
            assert server.connections == 3
            now += 29
            await call(upstream)
            assert server.connections == 3
            now += 2
            await call(upstream)
            await server.is_left(2)
            assert (server.connections, len(upstream._free)) == (3, 1)
            now += 31
            await call(upstream)
            await server.is_left(3)
            assert server.connections == 4

    play(main)


def test_the_clock_of_kept_connections_goes_on():
    assert module._now() <= module._now()


@on_both_loops
def test_a_kept_connection_that_upstream_closed_is_forgotten(loop):
    async def main():
        async with pooled(saying(reply(b"ok"), 0.01, CUT)) as (upstream, server):
            assert await call(upstream) == b"ok"
            await server.is_left(1)
            await asyncio.sleep(0.01)
            assert upstream._free == []
            assert await call(upstream, "POST", b"abc") == b"ok"

    play(main, loop)


def closing_on_the_second(requests, *, late=b""):
    """Answers the first request of each connection and closes at the second: it was closed for its age just then."""

    async def handle(reader, writer):
        requests.append((await request_from(reader))[0].split(b" ")[0])
        writer.write(reply(b"ok"))
        requests.append((await request_from(reader))[0].split(b" ")[0])
        writer.write(late)

    return handle


@on_both_loops
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_what_may_be_repeated_is_sent_again_once(loop, method):
    requests = []

    async def main():
        async with pooled(closing_on_the_second(requests)) as (upstream, server):
            await call(upstream)
            assert await call(upstream, method) == b"ok"
            assert server.connections == 2

    play(main, loop)
    assert requests == [b"GET", method.encode(), method.encode()]


@on_both_loops
@pytest.mark.parametrize(("method", "body"), [("POST", b"abc"), ("POST", None), ("DELETE", None), ("GET", b"abc")])
def test_what_could_be_billed_is_never_sent_twice(loop, method, body):
    requests = []

    async def main():
        async with pooled(closing_on_the_second(requests)) as (upstream, server):
            await call(upstream)
            with pytest.raises(UpstreamUnreachableError):
                await call(upstream, method, body)
            assert server.connections == 1

    play(main, loop)
    assert requests == [b"GET", method.encode()]


@pytest.mark.parametrize("late", [b"HTTP/1.1 2", b"HTTP/1.1 100 Continue\r\n\r\n", b"garbage"])
def test_what_was_answered_at_all_is_not_sent_again(late):
    requests = []

    async def main():
        async with pooled(closing_on_the_second(requests, late=late)) as (upstream, _):
            await call(upstream)
            with pytest.raises(UpstreamUnreachableError):
                await call(upstream)

    play(main)
    assert requests == [b"GET", b"GET"]


def test_silence_is_not_asked_again():
    requests = []

    async def handle(reader, writer):
        requests.append(await request_from(reader))
        writer.write(reply(b"ok"))
        requests.append(await request_from(reader))
        await reader.read()

    async def main():
        async with pooled(handle, idle=0.05) as (upstream, _):
            await call(upstream)
            with pytest.raises(UpstreamUnreachableError, match="silent"):
                await call(upstream)

    play(main)
    assert len(requests) == 2


# ---- ends


@on_both_loops
@pytest.mark.parametrize("when", ["connecting", "head", "body"])
def test_a_call_that_is_cancelled_leaves_nothing(loop, when):
    async def main():
        head = [] if when == "head" else [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"]
        async with pooled(saying(*head, 5.0)) as (upstream, server):
            asked = asyncio.ensure_future(call(upstream, "POST", b"abc"))
            if when == "connecting":
                await asyncio.sleep(0)
            while when != "connecting" and not server.connections:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0 if when == "connecting" else 0.02)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            del asked
            await server.is_left(server.connections)
            assert (upstream._busy, upstream._free) == (set(), [])

    play(main, loop)


@on_both_loops
def test_a_reply_that_nobody_holds_is_given_up(loop):
    async def main():
        endless = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n", 5.0]
        async with pooled(saying(*endless)) as (upstream, server):
            await upstream.send("GET", "/", [], None)
            await server.is_left(1)
            assert upstream._busy == set()

    play(main, loop)


@on_both_loops
def test_closing_the_upstream_ends_what_is_under_way(loop):
    async def main():
        async with serving(saying(b"HTTP/1.1 200 OK\r\n\r\na", 5.0)) as server:
            async with HttpUpstream(server.url, connect_seconds=5, idle_seconds=5) as upstream:
                got = await upstream.send("GET", "/", [], None)
                assert await anext(got.chunks) == b"a"
            with pytest.raises(UpstreamCutError, match="the gateway stops"):
                await anext(got.chunks)
            await got.chunks.aclose()
            await server.is_left(1)
            assert (upstream._busy, upstream._free) == (set(), [])

    play(main, loop)


def test_a_call_that_connects_while_the_upstream_is_closed_keeps_nothing():
    async def main():
        async with serving(saying(reply(b"ok"))) as server:
            async with HttpUpstream(server.url, connect_seconds=5, idle_seconds=5) as upstream:
                asked = asyncio.ensure_future(call(upstream))
                await asyncio.sleep(0)
            assert await asked == b"ok"
            await server.is_left(1)
            assert (upstream._busy, upstream._free) == (set(), [])

    play(main)
