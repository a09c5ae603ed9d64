"""One connection: how replies end, how exchanges end early, and who waits for whom."""

import asyncio
import random
import socket
import struct
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_upstream import CUT, narrow, on_both_loops, play, reply, request_from, saying, serving

from underspend.gateway import connection as module
from underspend.gateway.connection import Connection, UnansweredError
from underspend.gateway.transport import ClientGoneError, UpstreamCutError, UpstreamUnreachableError

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
BIG = random.Random(1).randbytes(3_000_000)


@asynccontextmanager
async def connected(handler, *, idle=5.0):
    """A connection to a server, and the list of the times it was freed."""
    loop, freed = asyncio.get_running_loop(), []
    async with serving(handler) as server:
        _, made = await loop.create_connection(
            lambda: Connection(loop, idle_seconds=idle, on_free=freed.append), "127.0.0.1", server.port
        )
        try:
            yield made, server, freed
        finally:
            made.abort()


async def read(got):
    return b"".join([chunk async for chunk in got.chunks])


def told(*pieces, method="GET", loop="asyncio"):
    """What an exchange brings when upstream says the pieces: status, headers, body, and whether it is kept."""

    async def main():
        async with connected(saying(*pieces)) as (made, _, freed):
            got = await made.exchange(method, GET, None)
            body = await read(got)
            await asyncio.sleep(0.01)
            assert freed
            return got.status, got.headers, body, not made.closed

    return play(main, loop)


# ---- how replies end


@on_both_loops
@pytest.mark.parametrize(
    ("pieces", "body", "kept"),
    [
        ([reply(b"abc")], b"abc", True),
        ([reply(b"")], b"", True),
        ([CHUNKED + b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n"], b"abcde", True),
        ([CHUNKED + b"3;x=y\r\nabc\r\n0\r\n\r\n"], b"abc", True),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], b"", True),
        ([b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"], b"", True),
        ([b"HTTP/1.1 200 OK\r\n\r\nab", b"cd", CUT], b"abcd", False),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: other\r\n\r\nab", CUT], b"ab", False),
        ([b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab"], b"ab", False),
        ([reply(b"ab", headers=(b"connection: close",))], b"ab", False),
        ([b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nab"], b"ab", True),
        ([b"HTTP/1.1 200 OK\r\nupgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 2\r\n\r\nab"], b"ab", True),
    ],
)
def test_a_reply_ends_where_it_says(loop, pieces, body, kept):
    assert told(*pieces, loop=loop)[2:] == (body, kept)


@pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints"])
def test_interim_replies_are_passed_over(interim):
    status, headers, body, kept = told(b"HTTP/1.1 " + interim + b"\r\nlink: </a>\r\n\r\n", reply(b"abc"))
    assert (status, headers, body, kept) == (200, [(b"content-length", b"3")], b"abc", True)


@pytest.mark.parametrize("body", [b"", b"abc"])
def test_a_reply_to_head_has_no_body_whatever_it_announces_or_sends(body):
    assert told(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n" + body, method="HEAD")[2:] == (b"", False)


def test_a_trailer_is_no_header():
    _, headers, body, kept = told(CHUNKED + b"1\r\na\r\n0\r\nx-late: 1\r\nx-later: 2\r\n\r\n")
    assert (headers, body, kept) == ([(b"transfer-encoding", b"chunked")], b"a", True)


@pytest.mark.parametrize(
    "extra", [b"x", b"HTTP/1.1 408 Late\r\nx-y: 1\r\ncontent-length: 3\r\n\r\nbad", b"HTTP/1.1 408 La"]
)
@pytest.mark.parametrize("whole", [reply(b"abc"), CHUNKED + b"3\r\nabc\r\n0\r\n\r\n"])
def test_what_is_sent_after_a_reply_touches_neither_it_nor_the_next(whole, extra):
    status, headers, body, kept = told(whole + extra)
    assert (status, len(headers), body, kept) == (200, 1, b"abc", False)


def test_what_is_sent_while_nobody_asks_closes_the_connection():
    async def main():
        async with connected(saying(reply(b"abc"), 0.02, b"HTTP/1.1 408 Late\r\n\r\n")) as (made, server, _):
            assert await read(await made.exchange("GET", GET, None)) == b"abc"
            assert not made.closed
            await server.is_left(1)
            assert made.closed
            with pytest.raises(UnansweredError):
                await made.exchange("GET", GET, None)

    play(main)


statuses = st.integers(200, 599).filter(lambda status: status not in {204, 304})
names = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=9).map(lambda name: f"x-{name}".encode())
values = st.binary(max_size=20).map(lambda raw: bytes(byte for byte in raw if byte > 32 and byte != 127))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    statuses, st.lists(st.tuples(names, values), max_size=5), st.lists(st.binary(max_size=60), max_size=6), st.data()
)
def test_any_reply_cut_into_any_pieces_arrives_byte_for_byte(status, headers, body, data):
    """No socket here: the pieces are exactly those that arrive."""
    framing = data.draw(st.sampled_from(["length", "chunked", "close"]))
    fields, plain = list(headers), b"".join(body)
    if framing == "length":
        fields.append((b"content-length", b"%d" % len(plain)))
    elif framing == "chunked":
        fields.append((b"transfer-encoding", b"chunked"))
        body = [b"%x\r\n%b\r\n" % (len(part), part) for part in body if part] + [b"0\r\n\r\n"]
    head = b"HTTP/1.1 %d X\r\n" % status + b"".join(name + b": " + value + b"\r\n" for name, value in fields)
    wire = b"".join([head, b"\r\n", *body])
    cuts = sorted(data.draw(st.sets(st.integers(1, max(len(wire) - 1, 1)), max_size=8)))
    pieces = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]

    async def main():
        made, transport = unconnected()

        async def feed():
            for piece in pieces:
                made.data_received(piece)
                await asyncio.sleep(0)
            if framing == "close":
                made.eof_received()

        feeding = asyncio.ensure_future(feed())
        got = await made.exchange("GET", GET, None)
        assert (got.status, got.headers, await read(got)) == (status, fields, plain)
        await feeding
        assert (made.closed, transport.aborted) == ((True, True) if framing == "close" else (False, False))

    asyncio.run(main())


class Silent:
    """A transport that notes what is asked of it."""

    aborted = paused = False
    unsent = 0

    def get_extra_info(self, name):
        return None

    def write(self, data):
        pass

    writelines = write

    def get_write_buffer_size(self):
        return self.unsent

    def abort(self):
        self.aborted = True

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        assert not self.aborted, "uvloop refuses this"
        self.paused = False


def unconnected(*, idle=0.0):
    made = Connection(asyncio.get_running_loop(), idle_seconds=idle, on_free=lambda _: None)
    transport = Silent()
    made.connection_made(transport)
    return made, transport


# ---- how they break


@pytest.mark.parametrize(
    "whole", [reply(b"abcdef", headers=(b"x-y: z",)), CHUNKED + b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"]
)
def test_a_reply_cut_at_any_byte_is_never_taken_for_a_whole_one(whole):
    async def main():
        for cut in range(len(whole)):
            made, _ = unconnected()
            asked = asyncio.ensure_future(made.exchange("GET", GET, None))
            await asyncio.sleep(0)
            if cut:
                made.data_received(whole[:cut])
            made.eof_received()
            made.connection_lost(None)
            if cut <= whole.index(b"\r\n\r\n") + 3:
                with pytest.raises(UpstreamUnreachableError) as caught:
                    await asked
                assert isinstance(caught.value, UnansweredError) is (cut == 0)
            else:
                with pytest.raises(UpstreamCutError):
                    await read(await asked)
            assert made.closed

    play(main)


@on_both_loops
@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "does not speak HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 400_000, "head is too large"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 30_000, "head is too large"),
        (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "another protocol"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n", "does not speak"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc", "does not speak"),
    ],
)
def test_what_is_no_reply_says_so(loop, said, why):
    with pytest.raises(UpstreamUnreachableError, match=why):
        told(said, loop=loop)


@pytest.mark.parametrize("garbage", [b"zz\r\n", b"3\r\nabcdef"])
def test_a_body_that_is_no_http_is_a_cut(garbage):
    with pytest.raises(UpstreamCutError, match="does not speak"):
        told(CHUNKED + b"1\r\na\r\n", 0.01, garbage)


@on_both_loops
def test_a_connection_that_is_reset_in_a_body_without_a_length_is_a_cut(loop):
    async def handle(reader, writer):
        await request_from(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
        await asyncio.sleep(0.02)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async def main():
        async with connected(handle) as (made, *_):
            got = await made.exchange("GET", GET, None)
            with pytest.raises(UpstreamCutError):
                await read(got)

    play(main, loop)


@on_both_loops
def test_a_body_without_a_length_is_not_whole_because_we_closed(loop):
    async def main():
        async with connected(saying(b"HTTP/1.1 200 OK\r\n\r\nabc", 5.0)) as (made, *_):
            got = await made.exchange("GET", GET, None)
            reading = asyncio.ensure_future(read(got))
            await asyncio.sleep(0.02)
            made.abort("the gateway stops")
            with pytest.raises(UpstreamCutError, match="the gateway stops"):
                await reading

    play(main, loop)


def test_an_abort_while_the_head_is_awaited_is_told():
    async def main():
        async with connected(saying(5.0)) as (made, *_):
            asked = asyncio.ensure_future(made.exchange("GET", GET, None))
            await asyncio.sleep(0.01)
            made.abort("the gateway stops")
            with pytest.raises(UpstreamUnreachableError, match="the gateway stops"):
                await asked

    play(main)


# ---- exchanges that are given up


@on_both_loops
@pytest.mark.parametrize("when", ["head", "body", "begun", "lost"])
def test_giving_up_closes_upstreams_connection(loop, when):
    async def main():
        head = [] if when == "head" else [CHUNKED + b"1\r\na\r\n"]
        async with connected(saying(*head, 5.0)) as (made, server, freed):
            asked = asyncio.ensure_future(made.exchange("GET", GET, None))
            if when == "head":
                await asyncio.sleep(0.01)
                asked.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asked
            else:
                got = await asked
                if when == "begun":
                    assert await anext(got.chunks) == b"a"
                if when == "lost":
                    del got, asked
                else:
                    await got.chunks.aclose()
                    await got.chunks.aclose()
                    assert [chunk async for chunk in got.chunks] == []
            await server.is_left(1)
            assert made.closed
            assert freed

    play(main, loop)


def test_giving_up_while_a_chunk_is_awaited():
    async def main():
        async with connected(saying(CHUNKED + b"1\r\na\r\n", 5.0)) as (made, server, _):
            got = await made.exchange("GET", GET, None)
            assert await anext(got.chunks) == b"a"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(got.chunks), 0.02)
            await got.chunks.aclose()
            await server.is_left(1)

    play(main)


def test_a_whole_reply_that_nobody_read_keeps_the_connection_but_not_one_told_to_pause():
    async def main():
        for size, kept in ((1000, True), (module._HIGH_WATER + 1, False)):
            made, transport = unconnected()
            asked = asyncio.ensure_future(made.exchange("GET", GET, None))
            await asyncio.sleep(0)
            made.data_received(reply(b"x" * size))
            await (await asked).chunks.aclose()
            assert (made.closed, transport.aborted) == (not kept, not kept)

    play(main)


@on_both_loops
def test_a_large_reply_that_closes_the_connection_is_read_whole(loop):
    whole = reply(BIG, headers=(b"connection: close",))
    assert told(whole, CUT, loop=loop)[2:] == (BIG, False)


# ---- sending


def taking(size, *answer, then=b""):
    """A handler that reads so many bytes after a request's head, answers, and reads on."""

    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        taken.append(await reader.readexactly(size))
        for piece in answer:
            if isinstance(piece, float):
                await asyncio.sleep(piece)
            else:
                writer.write(piece)
        taken.append(await reader.read())

    taken = []
    handle.taken = taken
    return handle


async def trickle(pieces, pause=0.0):
    for piece in pieces:
        await asyncio.sleep(pause)
        yield piece


@on_both_loops
def test_a_body_without_a_length_is_sent_in_chunks_none_of_them_empty(loop):
    head = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    wire = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    server = taking(len(wire), reply(b"ok"))

    async def main():
        async with connected(server) as (made, *_):
            assert await read(await made.exchange("POST", head, trickle([b"abc", b"", b"de"]))) == b"ok"
            assert not made.closed

    play(main, loop)
    assert server.taken[0] == wire


@on_both_loops
@pytest.mark.parametrize("streamed", [False, True])
def test_a_large_body_arrives_whole(loop, streamed):
    server = taking(len(BIG), reply(b"ok"))
    head = b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(BIG)

    async def main():
        async with connected(server) as (made, *_):
            body = trickle([BIG[at : at + 100_000] for at in range(0, len(BIG), 100_000)]) if streamed else BIG
            assert await read(await made.exchange("POST", head, body)) == b"ok"
            assert not made.closed

    play(main, loop)
    assert server.taken[0] == BIG


@on_both_loops
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("closing", [(), (b"connection: close",)])
def test_a_refusal_while_the_request_is_sent_is_passed_on_and_the_rest_is_not_sent(loop, streamed, closing):
    refusal = reply(b"too large", status=b"413 Too Large", headers=closing)

    async def handle(reader, writer):
        reader._transport.pause_reading()
        writer.write(refusal)
        await asyncio.sleep(0.3)

    async def main():
        async with connected(handle) as (made, server, _):
            body = trickle([bytes(500_000)] * 100) if streamed else bytes(50_000_000)
            got = await made.exchange("POST", b"POST / HTTP/1.1\r\ncontent-length: 50000000\r\n\r\n", body)
            assert (got.status, await read(got)) == (413, b"too large")
            assert made.closed
            await asyncio.sleep(0)
            assert made._sender is None or made._sender.done()
            await server.is_left(1)

    play(main, loop)


@on_both_loops
def test_a_reply_may_end_before_the_request_and_still_be_read_whole_while_it_is_sent(loop):
    head = b"POST / HTTP/1.1\r\ncontent-length: 6\r\n\r\n"
    server = taking(3, CHUNKED + b"5\r\nearly\r\n", 0.05, b"4\r\nlate\r\n0\r\n\r\n")

    async def main():
        async with connected(server) as (made, server_side, _):
            got = await made.exchange("POST", head, trickle([b"abc", b"def"], 0.02))
            assert await read(got) == b"earlylate"
            assert not made.closed
            made.abort()
            await server_side.is_left(1)

    play(main, loop)
    assert server.taken == [b"abc", b"def"]


async def leaving(pieces):
    for piece in pieces:
        yield piece
        await asyncio.sleep(0.02)
    raise ClientGoneError


@on_both_loops
def test_a_client_that_leaves_while_it_sends(loop):
    async def main():
        async with connected(taking(100)) as (made, server, _):
            with pytest.raises(ClientGoneError):
                await made.exchange("POST", b"POST / HTTP/1.1\r\ncontent-length: 100\r\n\r\n", leaving([b"a", b"b"]))
            await server.is_left(1)

    play(main, loop)


def test_a_client_that_leaves_while_it_sends_and_reads():
    async def main():
        async with connected(taking(1, CHUNKED + b"1\r\na\r\n")) as (made, *_):
            got = await made.exchange("POST", b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n", leaving([b"a", b"b"]))
            with pytest.raises(UpstreamCutError, match="the request's body broke off: ClientGoneError"):
                await read(got)

    play(main)


@on_both_loops
@pytest.mark.parametrize("end", ["cancelled", "reset"])
def test_a_connection_that_ends_while_a_sender_waits_for_it(loop, end):
    async def handle(reader, writer):
        reader._transport.pause_reading()
        await asyncio.sleep(0.1)
        if end == "reset":
            writer.transport.abort()
        await asyncio.sleep(0.1)

    async def main():
        async with connected(handle) as (made, *_):
            asked = asyncio.ensure_future(
                made.exchange("POST", b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n", trickle([bytes(10_000_000)] * 9))
            )
            await asyncio.sleep(0.05)
            assert made._writable is not None
            if end == "cancelled":
                asked.cancel()
            with pytest.raises((asyncio.CancelledError, UpstreamUnreachableError)):
                await asked
            await asyncio.sleep(0.02)
            assert made._writable is None
            assert made._sender.done()

    play(main, loop)


# ---- who waits for whom


@on_both_loops
def test_a_slow_reader_pauses_upstream_and_loses_nothing(loop):
    async def main():
        async with connected(saying(reply(BIG * 4))) as (made, *_):
            got = await made.exchange("GET", GET, None)
            parts = []
            async for chunk in got.chunks:
                parts.append(chunk)
                if len(parts) < 4:
                    await asyncio.sleep(0.05)
                    assert made._paused
                    assert made._waiting_size <= module._HIGH_WATER + 256 * 1024
            assert b"".join(parts) == BIG * 4
            assert not made.closed
            assert await read(await made.exchange("GET", GET, None)) == BIG * 4

    play(main, loop)


def test_silence_before_the_head_and_in_the_body():
    async def main():
        async with connected(saying(5.0), idle=0.05) as (made, *_):
            with pytest.raises(UpstreamUnreachableError, match=r"silent for 0.05 s") as caught:
                await made.exchange("GET", GET, None)
            assert not isinstance(caught.value, UnansweredError)
        async with connected(saying(CHUNKED + b"1\r\na\r\n", 5.0), idle=0.05) as (made, *_):
            got = await made.exchange("GET", GET, None)
            with pytest.raises(UpstreamCutError, match="silent"):
                await read(got)

    play(main)


def test_a_slow_stream_is_not_silent_nor_is_anything_when_there_is_no_limit():
    async def main():
        slow = [piece for _ in range(6) for piece in (0.04, b"1\r\na\r\n")]
        async with connected(saying(CHUNKED, *slow, b"0\r\n\r\n"), idle=0.1) as (made, *_):
            assert await read(await made.exchange("GET", GET, None)) == b"aaaaaa"
            await asyncio.sleep(0.15)
            assert not made.closed  # nor is a connection that is kept
        async with connected(saying(0.2, reply(b"a")), idle=0.0) as (made, *_):
            assert await read(await made.exchange("GET", GET, None)) == b"a"

    play(main)


def test_a_client_that_reads_slowly_is_not_upstreams_silence():
    async def main():
        async with connected(saying(reply(BIG * 4)), idle=0.05) as (made, *_):
            got = await made.exchange("GET", GET, None)
            parts = [await anext(got.chunks)]
            await asyncio.sleep(0.3)
            assert b"".join(parts + [chunk async for chunk in got.chunks]) == BIG * 4

    play(main)


def test_a_client_that_sends_slowly_is_not_upstreams_silence():
    async def main():
        head = b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n"
        async with connected(taking(2, reply(b"ok")), idle=0.05) as (made, *_):
            assert await read(await made.exchange("POST", head, trickle([b"a", b"b"], 0.2))) == b"ok"

    play(main)


@on_both_loops
@pytest.mark.parametrize("streamed", [False, True])
def test_a_large_upload_that_proceeds_is_no_silence(loop, streamed):
    size = 30_000_000

    async def handle(reader, writer):
        narrow(writer)
        await reader.readuntil(b"\r\n\r\n")
        left = size
        while left:
            left -= len(await reader.read(1_000_000))
            await asyncio.sleep(0.002)
        writer.write(reply(b"ok"))
        await reader.read()

    async def main():
        body = trickle([bytes(3_000_000)] * 10) if streamed else bytes(size)
        async with connected(handle, idle=0.2) as (made, *_):
            narrow(made._transport)
            head = b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % size
            assert await read(await made.exchange("POST", head, body)) == b"ok"

    play(main, loop)


def test_an_upload_that_does_not_proceed_is_silence():
    async def main():
        async def handle(reader, writer):
            reader._transport.pause_reading()
            await asyncio.sleep(5)

        async with connected(handle, idle=0.05) as (made, *_):
            with pytest.raises(UpstreamUnreachableError, match="silent"):
                await made.exchange("POST", b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n", bytes(30_000_000))

    play(main)


def test_a_burst_leaves_together_and_its_first_and_last_bytes_do_not_wait():
    async def main():
        made, _ = unconnected()
        asked = asyncio.ensure_future(made.exchange("GET", GET, None))
        await asyncio.sleep(0)
        made.data_received(CHUNKED)
        got = await asked
        chunks = []

        async def collect():
            async for chunk in got.chunks:
                chunks.append(chunk)  # noqa: PERF401  # as they come

        collecting = asyncio.ensure_future(collect())
        await asyncio.sleep(0)
        for event in (b"1\r\na\r\n", b"1\r\nb\r\n", b"1\r\nc\r\n"):
            made.data_received(event)
            for _ in range(3):
                await asyncio.sleep(0)
        assert chunks == [b"a"]
        await asyncio.sleep(0.01)
        assert chunks == [b"a", b"bc"]
        made.data_received(b"1\r\nd\r\n")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert chunks == [b"a", b"bc", b"d"], "after a pause nothing waits"
        made.data_received(b"1\r\ne\r\n0\r\n\r\n")
        await asyncio.wait_for(collecting, 0.0005 + 1)
        assert chunks == [b"a", b"bc", b"d", b"e"]
        assert made._gathering is None

    play(main)


def test_a_large_burst_does_not_wait_to_be_gathered():
    async def main():
        made, _ = unconnected()
        asked = asyncio.ensure_future(made.exchange("GET", GET, None))
        await asyncio.sleep(0)
        made.data_received(CHUNKED + b"1\r\na\r\n")
        got = await asked
        assert await anext(got.chunks) == b"a"
        waiting = asyncio.ensure_future(anext(got.chunks))
        await asyncio.sleep(0)
        made.data_received(b"8000\r\n" + bytes(0x8000) + b"\r\n")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert waiting.done()
        made.abort()

    play(main)


def test_one_connection_carries_many_calls_and_is_freed_after_each():
    async def main():
        async with connected(saying(reply(b"abc"))) as (made, server, freed):
            for _ in range(20):
                assert await read(await made.exchange("GET", GET, None)) == b"abc"
            assert (server.connections, len(freed), made.closed) == (1, 20, False)

    play(main)
