"""Runs one scripted session of the real Claude Code and keeps everything that can be compared."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import running

from underspend.testing.fake_upstream import FakeUpstream, Script, run_in_thread

KEY = "sk-ant-api03-" + "d" * 60
TOOLS = "Read Bash Write Edit Agent"


@dataclass
class Run:
    """One run: what the client printed, what upstream saw, and (through the gateway) what the ledger holds."""

    results: list[dict]
    upstream: FakeUpstream
    rows: list = field(default_factory=list)
    faults: list = field(default_factory=list)

    @property
    def calls(self) -> list:
        return [seen for seen in self.upstream.requests if seen.method == "POST" and "count_tokens" not in seen.path]

    @property
    def bill(self) -> int:
        return self.upstream.bill().picodollars

    @property
    def client_cost(self) -> float:
        return self.results[-1]["total_cost_usd"]


@dataclass
class Client:
    """Claude Code in an empty home and configuration of its own, talking to one base URL."""

    binary: Path
    base_url: str
    work: Path
    results: list[dict] = field(default_factory=list)

    def ask(self, prompt: str, *options: str, ok: bool = True, env: dict | None = None) -> dict:
        home = self.work.parent / "home"
        home.mkdir(exist_ok=True)
        clean = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "CLAUDE_CONFIG_DIR": str(home / "config"),
            "ANTHROPIC_BASE_URL": self.base_url,
            "ANTHROPIC_API_KEY": KEY,
            "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "ENABLE_TOOL_SEARCH": "true",
            "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
            **(env or {}),
        }
        command = [str(self.binary), "-p", prompt, "--output-format", "json", "--allowedTools", TOOLS, *options]
        done = subprocess.run(command, cwd=self.work, env=clean, capture_output=True, text=True, timeout=120)
        lines = [line for line in done.stdout.splitlines() if line.startswith(("{", "["))]
        if not lines:
            raise AssertionError(f"no result: {done.stdout[-500:]} {done.stderr[-2000:]}")
        result = json.loads(lines[-1])
        if ok:
            assert not result["is_error"], result
        self.results.append(result)
        return result


Play = Callable[[Client], None]
Scripts = Callable[[Path], Script]


def run(binary: Path, folder: Path, scripts: Scripts, play: Play, *, through_gateway: bool, config: str = "") -> Run:
    """Play a session against a fresh fake upstream. The working folder has the same path in every run."""
    work = folder / "work"
    for left in (work, folder / "home"):
        shutil.rmtree(left, ignore_errors=True)
    work.mkdir(parents=True)
    with ExitStack() as stack:
        upstream = stack.enter_context(run_in_thread(scripts(work), keep_bodies=True))
        gateway = None
        base_url = upstream.url
        if through_gateway:
            shutil.rmtree(folder / "gateway", ignore_errors=True)
            gateway = running.start(folder / "gateway", upstream.url, config=config)
            stack.callback(gateway.process.stdout.close)
            base_url = gateway.url
        client = Client(binary, base_url, work)
        play(client)
        made = Run(client.results, upstream)
        if gateway is not None:
            time.sleep(0.2)
            made.faults = gateway.status()["faults"]
            gateway.stop()
            made.rows = running.ledger_rows(gateway.home)
        return made
