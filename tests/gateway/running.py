"""The real gateway in a process of its own, and a client that sends exact bytes to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class Running:
    url: str
    home: Path
    process: subprocess.Popen

    @property
    def port(self) -> int:
        return urlsplit(self.url).port

    def connection(self, timeout: float = 20) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def post(self, path: str, body: bytes | dict, headers: dict | None = None) -> tuple[int, dict, bytes]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with closing(self.connection()) as connection:
            connection.request("POST", path, data, {"content-type": "application/json", **(headers or {})})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    def status(self) -> dict:
        with closing(self.connection()) as connection:
            connection.request("GET", "/_/api/status")
            return json.loads(connection.getresponse().read())

    def rows(self, where: str = "1=1", *, wait_for: int = 0, seconds: float = 10) -> list[sqlite3.Row]:
        """Settled calls in the ledger, oldest first; waits until there are `wait_for`."""
        deadline = time.monotonic() + seconds
        while True:
            rows = ledger_rows(self.home, f"state = 'settled' AND {where}")
            if len(rows) >= wait_for or time.monotonic() > deadline:
                return rows
            time.sleep(0.02)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)


def ledger_rows(home: Path, where: str = "1=1") -> list[sqlite3.Row]:
    with closing(sqlite3.connect(home / "ledger.sqlite3", timeout=10)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(f"SELECT * FROM calls WHERE {where} ORDER BY started_at").fetchall()


def start(home: Path, upstream: str, *, config: str = "", env: dict | None = None) -> Running:
    home.mkdir(parents=True, exist_ok=True)
    if config:
        (home / "config.toml").write_text(config)
    command = [sys.executable, "-m", "underspend", "up", "--quiet", "--port", "0", "--home", str(home)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSPEND_")}
    with (home / "stderr.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--upstream", upstream],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**clean, **(env or {})},
        )
    line = process.stdout.readline().strip()
    if not line.startswith("http://"):
        process.wait(10)
        process.stdout.close()
        raise RuntimeError(f"the gateway did not start: {line} {(home / 'stderr.log').read_text()}")
    return Running(line, home, process)
