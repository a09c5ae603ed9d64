"""Real servers on the loopback for the tests of delivery: HTTP and SMTP, each as well-behaved as it is told to be."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from underspend.core.alerts import Alert, Kind, Severity
from underspend.core.evidence import Evidence

PEM = Path(__file__).parents[2] / "fixtures" / "tls" / "loopback.pem"
T0 = 1_800_000_000_000_000
Answer = bytes | Callable[[socket.socket], None]


def alert(subject: str = "s", severity: Severity = Severity.WARNING, at: int = T0, **more: object) -> Alert:
    base = {"kind": Kind.LOOP, "words": "Bash failed 5 times in a row.", "dollars": 1_500_000_000_000}
    return Alert(**{**base, "evidence": Evidence.BILLED, "subject": subject, "severity": severity, "at": at, **more})


@dataclass
class Asked:
    """One request as it came."""

    head: str
    body: bytes

    def header(self, name: str) -> str:
        lines = (line.partition(":") for line in self.head.split("\r\n")[1:])
        return next((value.strip() for key, _, value in lines if key.lower() == name), "")


@dataclass
class Server:
    """`port`, and what was received so far."""

    port: int
    requests: list[Asked] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def wait(self, count: int) -> None:
        """Waits until so many requests came."""
        for _ in range(500):
            if len(self.requests) >= count:
                return
            time.sleep(0.01)
        raise AssertionError(f"{len(self.requests)} of {count} requests came")


def says(status: str, *headers: str, body: bytes = b"secret words of the server") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


OK = says("200 OK")


def never(_: socket.socket) -> None:
    """Takes the request and says nothing until it is hung up on."""
    with contextlib.suppress(OSError):
        while _.recv(4096):
            pass


def drips(connection: socket.socket) -> None:
    """A byte every 50 ms: no pause is long enough for a socket's timeout."""
    with contextlib.suppress(OSError):
        for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 10_000:
            connection.send(bytes([byte]))
            time.sleep(0.05)


def tunnel(connection: socket.socket) -> None:
    """Opens a tunnel, as a proxy does, and answers at the other end of it."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    with _secured(connection) as inside:
        data = b""
        while not data.endswith(b"through"):
            data += _some(inside)
        inside.sendall(OK)


def hangs_up(connection: socket.socket) -> None:
    connection.close()


@contextlib.contextmanager
def _listening(serve: Callable[[socket.socket], None], host: str = "127.0.0.1") -> Iterator[int]:
    listener = socket.create_server((host, 0))
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            serve(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threads.append(threading.Thread(target=one, args=(connection,), daemon=True))
                threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for each in connections:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        accepting.join(5)
        for thread in threads:
            thread.join(5)


@contextlib.contextmanager
def http(*answers: Answer, tls: bool = False) -> Iterator[Server]:
    """Gives the answers in turn, the last again and again."""
    server = Server(0)
    left = list(answers)
    lock = threading.Lock()

    def serve(connection: socket.socket) -> None:
        if tls:
            connection = _secured(connection)
        with connection:
            data = b""
            while b"\r\n\r\n" not in data:
                data += _some(connection)
            head, _, body = data.partition(b"\r\n\r\n")
            asked = Asked(head.decode(), b"")
            while len(body) < int(asked.header("content-length") or 0):
                body += _some(connection)
            asked.body = body
            with lock:
                server.requests.append(asked)
                answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, bytes):
                connection.sendall(answer)
            else:
                answer(connection)

    with _listening(serve) as server.port:
        yield server


@contextlib.contextmanager
def smtp(  # noqa: C901  # a server of one page
    *,
    tls: str = "none",
    mailbox: str = "250 ok",
    only: str = "",
    login: str = "235 ok",
    greeting: str = "220 here",
    slow: bool = False,
    dripping: bool = False,
) -> Iterator[Server]:
    """A mail server: `tls` is none, starttls or tls; `mailbox` is what it says of those with `only` in them."""
    server = Server(0)

    def serve(connection: socket.socket) -> None:
        if tls == "tls":
            connection = _secured(connection)
        with connection:
            if slow:
                never(connection)
                return
            _say(connection, greeting)
            if dripping:
                drips(connection)
            _talk(connection)

    def _secure(connection: socket.socket) -> None:
        with _secured(connection) as secured:
            _talk(secured, is_secured=True)

    def _talk(connection: socket.socket, *, is_secured: bool = tls == "tls") -> None:
        while line := _line(connection):
            server.lines.append(line)
            word = line.split(" ", maxsplit=1)[0].upper()
            if word == "EHLO":
                offers = ["250-here"] + (["250-STARTTLS"] if tls == "starttls" and not is_secured else [])
                _say(connection, "\r\n".join([*offers, "250 AUTH PLAIN"]))
            elif word == "STARTTLS":
                _say(connection, "220 go")
                _secure(connection)
                return
            elif word == "AUTH":
                _say(connection, login)
            elif word == "RCPT":
                _say(connection, mailbox if only in line else "250 ok")
            elif word == "DATA":
                _say(connection, "354 go")
                rows = []
                while (row := _line(connection)) != ".":
                    rows.append(row)
                server.mails.append("\n".join(rows))
                _say(connection, "250 taken")
            elif word == "QUIT":
                _say(connection, "221 bye")
                return
            else:
                _say(connection, "250 ok")

    with _listening(serve) as server.port:
        yield server


def _secured(connection: socket.socket) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    return context.wrap_socket(connection, server_side=True)


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise OSError("the client hung up")
    return data


def _line(connection: socket.socket) -> str:
    line = b""
    while not line.endswith(b"\r\n"):
        byte = connection.recv(1)
        if not byte:
            return ""
        line += byte
    return line[:-2].decode()


def _say(connection: socket.socket, text: str) -> None:
    connection.sendall(text.encode() + b"\r\n")
