import asyncio

import pytest
from raw_upstream import CUT, RawUpstream, reply

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
