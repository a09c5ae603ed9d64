"""An upstream made of a socket: it keeps the exact bytes it is sent and answers with the exact bytes it is told.

`RawUpstream` has threads of its own. `serving` is a server in the test's own loop, a coroutine per connection; `play`
runs such a test and fails for whatever the loop had to complain about.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvloop


@dataclass
class Received:
    request_line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


CUT = None
"""Yielded by a script: break the connection off here."""

Script = Callable[[Received], Iterator[bytes | None]]


def reply(body: bytes, *, status: bytes = b"200 OK", headers: tuple[bytes, ...] = ()) -> bytes:
    head = [b"HTTP/1.1 " + status, b"content-length: " + str(len(body)).encode(), *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@dataclass
class RawUpstream:
    script: Script = lambda received: iter([reply(b'{"ok":true}', headers=(b"content-type: application/json",))])
    received: list[Received] = field(default_factory=list)
    aborted: threading.Event = field(default_factory=threading.Event)
    connections: int = 0

    def __enter__(self) -> RawUpstream:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rb")
        with connection, stream:
            while (received := self._read(stream)) is not None:
                self.received.append(received)
                try:
                    if not self._answer(connection, received):
                        return
                except OSError:
                    self.aborted.set()
                    return

    def _answer(self, connection: socket.socket, received: Received) -> bool:
        for piece in self.script(received):
            if piece is CUT:
                connection.shutdown(socket.SHUT_RDWR)
                return False
            connection.sendall(piece)
        return True

    def _read(self, stream) -> Received | None:
        try:
            line = stream.readline()
        except OSError:
            return None
        if not line:
            return None
        headers = []
        while (raw := stream.readline().rstrip(b"\r\n")) != b"":
            name, _, value = raw.partition(b":")
            headers.append((name, value.strip()))
        found = {name.lower(): value for name, value in headers}
        if found.get(b"transfer-encoding") == b"chunked":
            body = b""
            while size := int(stream.readline() or b"0", 16):  # nothing: the client left
                body += stream.read(size)
                stream.readline()
            stream.readline()
        else:
            body = stream.read(int(found.get(b"content-length", b"0")))
        return Received(line.rstrip(b"\r\n"), headers, body)


on_both_loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def play(main: Callable[[], Awaitable[object]], loop: str = "asyncio", *, seconds: float = 20) -> object:
    """Run a test; fails for errors that only the loop heard of, such as exceptions that nobody retrieved."""
    complaints: list[object] = []

    async def watched():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        try:
            return await asyncio.wait_for(main(), seconds)
        finally:
            await asyncio.sleep(0.01)
            gc.collect()

    result = uvloop.run(watched()) if loop == "uvloop" else asyncio.run(watched())
    assert complaints == []
    return result


@dataclass
class Served:
    url: str
    port: int
    connections: int = 0
    left: int = 0
    """Connections that ended, by whomever."""

    async def is_left(self, connections: int) -> None:
        """Returns when so many connections have ended."""
        while self.left < connections:
            await asyncio.sleep(0.002)


@asynccontextmanager
async def serving(
    handler: Handler, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Served]:
    """A server whose every connection is the handler's. What the handler raises fails the test."""
    tasks: list[asyncio.Task] = []
    failed: list[Exception] = []

    async def serve(reader, writer):
        tasks.append(asyncio.current_task())
        served.connections += 1
        try:
            await handler(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        except Exception as error:  # noqa: BLE001  # raised where the test sees it
            failed.append(error)
        finally:
            served.left += 1
            writer.transport.abort()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    served = Served(f"{'https' if tls else 'http'}://{name}:{port}", port)
    try:
        yield served
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert failed == []


def narrow(link: asyncio.StreamWriter | asyncio.Transport) -> None:
    """Let the system hold little of what is under way, so that who is slow is soon felt."""
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        link.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, 65536)


async def request_from(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """A request's head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    return head, await reader.readexactly(int(fields.get(b"content-length", b"0")))


def saying(*pieces: bytes | float | None) -> Handler:
    """A handler that answers every request with the pieces; a number is a pause in seconds, CUT the end."""

    async def handle(reader, writer):
        while True:
            await request_from(reader)
            for piece in pieces:
                if piece is CUT:
                    writer.close()
                    return
                if isinstance(piece, float):
                    await _pause(reader, piece)
                else:
                    writer.write(piece)
                    await writer.drain()

    return handle


async def _pause(reader: asyncio.StreamReader, seconds: float) -> None:
    """Wait so long, or until the client has left."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        if reader.at_eof() or reader.exception() is not None:
            raise EOFError
        await asyncio.sleep(min(0.005, seconds))
