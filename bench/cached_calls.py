"""Calls through the gateway with its response cache on, beside those that go past it: who waits how long.

CPU is what the gateway used for a call, its books and what it keeps included: other programs disturb it less.

One keep-alive connection each to the stand-in provider and to a gateway, the kinds of call taken in turn, so that
whatever else the machine does falls on all of them alike. "first" is a hit whose bytes the gateway has not read before:
the request's own keys stand in another order in each, which changes nothing of what is asked.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import bodies
from measure import Mock, ran_ns, tasks_of

BAR_US = 1000
_ROUNDS = 300
_WARM = 20
_KEPT_SECONDS = 0.004  # in which the gateway keeps a reply, and its books, once that is out
_CONFIG = "[cache]\nenabled = true\n"
_ASK = b"x-underspend-cache: ttl=3600\r\n"
_KINDS = ("direct", "plain", "miss", "hit", "first")


class Line:
    """One keep-alive connection, and the time a call on it takes."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, body: bytes, extra: bytes = b"") -> tuple[float, bytes]:
        """Microseconds until the whole reply is here, and its head."""
        head = b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: k\r\ncontent-type: application/json\r\n"
        sent = head + extra + b"content-length: " + str(len(body)).encode() + b"\r\n\r\n" + body
        began = time.perf_counter()
        self._socket.sendall(sent)
        found = b""
        while b"\r\n\r\n" not in found:
            found += self._more()
        said, _, rest = found.partition(b"\r\n\r\n")
        length = next(line for line in said.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        left = int(length.split(b":")[1]) - len(rest)
        while left > 0:
            left -= len(self._more())
        return (time.perf_counter() - began) * 1e6, said

    def close(self) -> None:
        self._socket.close()

    def _more(self) -> bytes:
        data = self._socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the connection was closed in the middle")
        return data


def run() -> bool:
    """Print the table; says whether hits are below the bar."""
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        mock = Mock(Path(made))
        home = Path(made) / "home"
        home.mkdir()
        (home / "config.toml").write_text(_CONFIG)
        gateway, port = _started(home, mock.port)
        try:
            print(f"{'body':>5} {'call':>7} {'p50':>10} {'p90':>10} {'CPU':>10} {'in the gateway':>16} {'added':>10}")
            good = True
            for size in ("4k", "200k"):
                good &= _measured(size, mock.port, port, home, gateway.pid)
        finally:
            gateway.terminate()
            gateway.wait(30)
            mock.close()
    print(
        f"bar: a hit adds at most {BAR_US} µs to what a plain call takes in the gateway: {'held' if good else 'MISSED'}"
    )
    return good


def _measured(size: str, upstream: int, port: int, home: Path, gateway: int) -> bool:
    body = bodies.request(bodies.SIZES[size], stream=False)
    orders = _orders(body)
    took: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    used: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    with closing(Line(upstream)) as direct, closing(Line(port)) as through:
        assert b"miss" in through.call(body, _ASK)[1]
        for number in range(_ROUNDS + _WARM):
            serial = body.replace(bodies.SERIAL.encode(), f"{size}{number:x}".rjust(len(bodies.SERIAL), "0").encode())
            asked: dict[str, tuple[Line, bytes, bytes]] = {
                "direct": (direct, body, b""),
                "plain": (through, serial, b""),
                "hit": (through, body, _ASK),
                "first": (through, next(orders), _ASK),
                "miss": (through, serial, _ASK),
            }
            made, ran = dict[str, tuple[float, bytes]](), ran_us(gateway)
            for kind, (line, sent, extra) in asked.items():
                made[kind] = line.call(sent, extra)
                time.sleep(_KEPT_SECONDS)
                ran, before = ran_us(gateway), ran
                used[kind] += [ran - before] if number >= _WARM else []
            assert b"cache: miss" in made["miss"][1], made["miss"][1]
            assert b"cache: hit" in made["hit"][1], made["hit"][1]
            assert b"cache: hit" in made["first"][1], made["first"][1]
            for kind, (microseconds, _) in made.items():
                took[kind] += [microseconds] if number >= _WARM else []
    inside = _inside(home, _ROUNDS, (1 + 4 * (_ROUNDS + _WARM)) * (1 if size == "4k" else 2))
    for kind in _KINDS:
        ordered = sorted(took[kind])
        own = f"{inside[kind]:13.0f} µs {inside[kind] - inside['plain']:+7.0f} µs" if kind in inside else ""
        p50, p90, cpu = statistics.median(ordered), ordered[len(ordered) * 9 // 10], statistics.median(used[kind])
        print(f"{size:>5} {kind:>7} {p50:7.0f} µs {p90:7.0f} µs {cpu:7.0f} µs {own}")
    return inside["hit"] - inside["plain"] <= BAR_US


def ran_us(pid: int) -> float:
    """The CPU time that a process has used, in microseconds."""
    return sum(map(ran_ns, tasks_of(pid))) / 1e3


def _inside(home: Path, rounds: int, written: int) -> dict[str, float]:
    """What the ledger says of the time in the gateway: until a hit was given, until another call was forwarded."""
    asked = "SELECT outcome, first_byte_us, overhead_us FROM calls ORDER BY started_at DESC, rowid DESC LIMIT ?"
    with closing(sqlite3.connect(home / "ledger.sqlite3")) as ledger:
        while ledger.execute("SELECT count(*) FROM calls WHERE state = 'settled'").fetchone()[0] < written:
            time.sleep(0.1)
        rows = ledger.execute(asked, (4 * rounds,)).fetchall()[::-1]
    hits = [found for outcome, found, _ in rows if outcome == "answered"]
    others = [overhead for outcome, _, overhead in rows if outcome == "ok"]
    parts = {"hit": hits[::2], "first": hits[1::2], "plain": others[::2], "miss": others[1::2]}
    return {kind: statistics.median(each) for kind, each in parts.items()}


def _orders(body: bytes) -> Iterator[bytes]:
    """The same request with its own keys in another order each time."""
    whole = json.loads(body)
    orders = itertools.permutations(whole.items())
    next(orders)
    for order in orders:
        yield json.dumps(dict(order), separators=(",", ":"), ensure_ascii=False).encode()


def _started(home: Path, upstream: int) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-m", "underspend", "up", "--quiet", "--port", "0", "--home", str(home)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSPEND_")}
    with (home / "stderr.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--upstream", f"http://127.0.0.1:{upstream}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=clean,
        )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    return process, int(url.rpartition(":")[2])
