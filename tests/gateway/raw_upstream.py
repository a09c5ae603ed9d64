"""An upstream made of a socket: it keeps the exact bytes it is sent and answers with the exact bytes it is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


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
            while size := int(stream.readline(), 16):
                body += stream.read(size)
                stream.readline()
            stream.readline()
        else:
            body = stream.read(int(found.get(b"content-length", b"0")))
        return Received(line.rstrip(b"\r\n"), headers, body)
