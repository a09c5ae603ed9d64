"""What reading a whole history costs, beside ccusage on the same files, in one interleaved run.

    python bench/audit.py DATA                 DATA: a folder with transcripts; copied under new ids up to --megabytes
    python bench/audit.py DATA --ccusage PATH  an installed ccusage, instead of one from npm

Cold is the first run, with an empty cache (the operating system's is warm for both); warm is a run in which one
session is new. Every run is a new process, start of the interpreter and all. `--ours` times another command of ours.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from grow_transcripts import grow, renamed

_VERSION = "20.0.24"
_MEGABYTE = 1_000_000
_READ = """
import resource, sys
from pathlib import Path
from underspend.readers.claude_code import read_history
history = read_history([Path(sys.argv[1])], cache=Path(sys.argv[2]), processes=int(sys.argv[3]))
own, other = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(len(history.replies()), (own + other) // 1024)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One timed run: seconds on the wall, seconds of processor time, megabytes at most."""

    wall: float
    processor: float
    memory: int


def timed(command: Sequence[str], environment: dict[str, str]) -> Run:
    """Run a command to its end."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        output = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begun
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    last = output.split()[-1:] if command[0] == sys.executable else []
    told = int(last[0]) if last and last[0].isdigit() else 0
    return Run(wall, used.ru_utime + used.ru_stime, told or used.ru_maxrss // 1024)


def installed(folder: Path) -> Path:
    """A ccusage of our own from npm: the native binary without its launcher."""
    subprocess.run(["npm", "i", "--silent", "--prefix", str(folder), f"ccusage@{_VERSION}"], check=True)
    found = next(folder.glob("node_modules/@ccusage/*/bin/ccusage"))
    found.chmod(0o755)
    return found


class Bench:
    """The files, the programs and where they may write."""

    def __init__(self, folder: Path, grown: Path, ccusage: Path, ours: list[str] | None) -> None:
        self.folder = folder
        self.grown = grown
        self.ccusage = ccusage
        self.ours = ours
        self.environment = {**os.environ, "HOME": str(folder), "CLAUDE_CONFIG_DIR": str(grown)}

    def peer(self) -> Run:
        """Their run over everything."""
        return timed(
            [str(self.ccusage), "claude", "daily", "--offline", "--json", "-z", "UTC"],
            self.environment,
        )

    def cold(self, processes: int) -> Run:
        """Our first run."""
        cache = self.folder / f"cache-{processes}"
        shutil.rmtree(cache, ignore_errors=True)
        return self._read(cache, processes)

    def warm(self, number: int) -> Run:
        """Our run after one session more."""
        first = next(iter(sorted(self.grown.rglob("*.jsonl"))))
        new = first.with_name(f"new-{number}.jsonl")
        new.write_bytes(renamed(first.read_bytes(), 10_000 + number))
        try:
            return self._read(self.folder / "cache-2", 2)
        finally:
            new.unlink()

    def _read(self, cache: Path, processes: int) -> Run:
        command = self.ours or [sys.executable, "-c", _READ, str(self.grown), str(cache), str(processes)]
        return timed(command, {**self.environment, "XDG_CACHE_HOME": str(cache)})


def measured(bench: Bench, rounds: int) -> dict[str, list[Run]]:
    """Every program once a round, in turn."""
    found: dict[str, list[Run]] = {"ccusage": [], "cold": [], "cold, one process": [], "warm": []}
    bench.peer()
    for number in range(rounds):
        found["ccusage"].append(bench.peer())
        found["cold"].append(bench.cold(2))
        found["warm"].append(bench.warm(number))
        found["cold, one process"].append(bench.cold(1))
    return found


def report(found: dict[str, list[Run]]) -> str:
    """Medians, and ratios to ccusage's in the same round."""
    lines = ["| run | seconds | fastest | CPU seconds | MB | times ccusage |", "|-|-|-|-|-|-|"]
    peers = found["ccusage"]
    for name, runs in found.items():
        ratio = median(run.wall / peer.wall for run, peer in zip(runs, peers, strict=True))
        lines.append(
            f"| {name} | {median(run.wall for run in runs):.2f} | {min(run.wall for run in runs):.2f} "
            f"| {median(run.processor for run in runs):.2f} | {max(run.memory for run in runs)} | {ratio:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--ccusage", type=Path)
    parser.add_argument("--ours", type=shlex.split)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = grow(given.data, folder / "grown", given.megabytes * _MEGABYTE)
        files = len(list((folder / "grown").rglob("*.jsonl")))
        print(f"{size / _MEGABYTE:.0f} MB in {files} files, {given.rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
        bench = Bench(folder, folder / "grown", given.ccusage or installed(folder / "npm"), given.ours)
        print(report(measured(bench, given.rounds)))


if __name__ == "__main__":
    main()
