"""Running gateways, the stand-in provider and the load, and reading what they use from /proc."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bodies
from targets import CACHE, Target

GATEWAY_CPU, LOAD_CPU = 0, 1
_START_LIMIT_SECONDS = 90
_ASKED = [
    "content-type: application/json",
    "anthropic-version: 2023-06-01",
    "anthropic-beta: claude-code-20250219,interleaved-thinking-2025-05-14",
    "user-agent: claude-cli/2.1.0 (external, cli)",
    "x-app: cli",
    "accept: application/json",
]


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def compiled(name: str) -> Path:
    """The C program of that name, compiled when its source is newer."""
    source, program = Path(__file__).with_name(f"{name}.c"), CACHE / name
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        CACHE.mkdir(exist_ok=True)
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", str(program), str(source)], check=True)
    return program


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of request: size of the body, kind of reply, how many at once."""

    size: str
    reply: str
    connections: int

    @property
    def name(self) -> str:
        """As in `--cells`."""
        return f"{self.size}-{self.reply}@{self.connections}"


class Mock:
    """The stand-in provider, with its requests and replies as files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for size, length in bodies.SIZES.items():
            (folder / f"{size}-json").write_bytes(bodies.request(length, stream=False))
            (folder / f"{size}-sse").write_bytes(bodies.request(length, stream=True))
        (folder / "reply.json").write_bytes(bodies.json_reply())
        (folder / "reply.sse").write_bytes(bodies.sse_reply())
        self.port = free_port()
        replies = [str(folder / "reply.json"), str(folder / "reply.sse")]
        self._process = subprocess.Popen([str(compiled("mock")), str(self.port), *replies])
        _wait_for(lambda: self.requests() >= 0, 5)

    def cpu_seconds(self) -> float:
        """CPU time it has used so far."""
        return sum(map(ran_ns, tasks_of(self._process.pid))) / 1e9

    def requests(self) -> int:
        """How many calls have reached it."""
        return int(json.loads(_get(self.port, "/mock"))["requests"])

    def pace(self, *, think_us: int, gap_us: int) -> None:
        """The time before a stream and between its events."""
        _get(self.port, f"/mock?think_us={think_us}&gap_us={gap_us}")

    def load(self, target: Target | None, port: int, cell: Cell, seconds: float) -> dict[str, Any]:
        """Load one target with one cell."""
        kind = "json" if cell.reply == "json" else "sse"
        headers = _headers(target, self.port)
        self.pace(**({"think_us": 2_000, "gap_us": 1_000} if cell.reply == "paced" else {"think_us": 0, "gap_us": 0}))
        body, expected = self._folder / f"{cell.size}-{kind}", self._folder / f"reply.{kind}"
        path = target.path if target else "/v1/messages"
        asked = [str(port), path, str(body), str(cell.connections), str(seconds), str(expected), *headers]
        done = subprocess.run([str(compiled("load")), *asked], capture_output=True, text=True, check=False)
        if done.returncode:
            return {"sent": 0, "answered": 0, "errors": 1, "why": done.stderr.strip()[:200]}
        found: dict[str, Any] = json.loads(done.stdout)
        if found["errors"]:
            found["why"] = done.stderr.strip().split("\n")[0][:200]
        return found

    def close(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()


@dataclass(slots=True)
class Running:
    """A gateway under test, with all of its processes pinned to one CPU."""

    target: Target
    port: int
    process: subprocess.Popen[bytes]
    first_200_seconds: float
    sent: int = 1
    forwarded: int = 1
    altered: int = 0
    failed: int = 0
    peak_mb: float = 0.0
    idle_mb: float = 0.0
    stopped: bool = False

    def cpu_ms(self) -> float:
        """CPU time used so far by every thread of every process of it."""
        return sum(ran_ns(task) for pid in self._tree() for task in tasks_of(pid)) / 1e6

    def pss_mb(self) -> float:
        """Its memory: private pages, and its share of shared ones."""
        return sum(_pss_kb(pid) for pid in self._tree()) / 1024

    def stop(self) -> None:
        """Ask it to stop; kill it when it does not. Once is enough."""
        if self.stopped:
            return
        self.stopped = True
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(15)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _tree(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found, todo = [], [self.process.pid]
        while todo:
            found.append(todo.pop())
            todo += children.get(found[-1], [])
        return found


def start(target: Target, home: Path, mock: Mock) -> Running:
    """Start a gateway and wait until it has passed on a first request.

    Raises RuntimeError when that does not happen.
    """
    port = free_port()
    launch = target.prepare(home, port, mock.port)
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            ["taskset", "-c", str(GATEWAY_CPU), *launch.command],
            env=os.environ | launch.environment,
            cwd=home,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        running = Running(target, port, process, 0.0)
        try:
            _wait_for(lambda: process.poll() is not None or _answers(running, mock), _START_LIMIT_SECONDS)
        except TimeoutError:
            running.stop()
        running.first_200_seconds = time.perf_counter() - began
        if process.poll() is not None:
            output.seek(0)
            raise RuntimeError(f"{target.name} did not start: {output.read()[-300:].decode(errors='replace')}")
    return running


def _headers(target: Target | None, upstream: int) -> list[str]:
    own = target.headers(upstream) if target else []
    keyed = any(line.startswith("authorization") for line in own)
    return [*_ASKED, *own] if keyed else [*_ASKED, *own, "x-api-key: sk-ant-api03-bench"]


def _answers(running: Running, mock: Mock) -> bool:
    body = bodies.request(bodies.SIZES["4k"], stream=False)
    headers = dict(line.split(": ", 1) for line in _headers(running.target, mock.port))
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=_START_LIMIT_SECONDS)
    try:
        connection.request("POST", running.target.path, body, headers)
        return connection.getresponse().status == 200  # noqa: PLR2004
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _wait_for(done: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        with suppress(OSError):
            if done():
                return
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.002)


def _get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    body = connection.getresponse().read()
    connection.close()
    return body


def tasks_of(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").glob("*"))


def ran_ns(task: Path) -> int:
    with suppress(OSError):
        return int((task / "schedstat").read_text().split()[0])
    return 0


def _pss_kb(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


class Others:
    """What programs that are no part of a measurement take of the two CPUs, from now on."""

    def __init__(self, mock: Mock, gateway: Running | None) -> None:
        self._mock = mock
        self._gateway = gateway
        self._began = self._now()

    def share(self) -> float:
        """Their share of the CPU they used more of: 0 to 1."""
        wall, *foreign = (end - begin for begin, end in zip(self._began, self._now(), strict=True))
        return max(0.0, *foreign) / wall

    def _now(self) -> tuple[float, float, float]:
        used = os.times()
        loading = used.user + used.system + used.children_user + used.children_system + self._mock.cpu_seconds()
        gateway = self._gateway.cpu_ms() / 1_000 if self._gateway is not None else 0.0
        return time.monotonic(), _busy_seconds(GATEWAY_CPU) - gateway, _busy_seconds(LOAD_CPU) - loading


def _busy_seconds(cpu: int) -> float:
    """How long a CPU has worked for anybody since the machine started."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{cpu}":
            user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = map(int, ticks)
            return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return 0.0
