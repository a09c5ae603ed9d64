"""What a whole audit costs, every finding computed, beside ccusage on the same files, in one interleaved run.

    python bench/audit.py DATA                 DATA: a folder with transcripts; copied under new ids up to --megabytes
    python bench/audit.py DATA --ccusage PATH  an installed ccusage, instead of one from npm

Cold is the first run ever, with nothing kept (the operating system's cache is warm for both); warm is a run in which
one session is new. Every run is a new process, start of the interpreter and all; its bytecode is there, as it is once a
package is installed. Memory is that of all processes of a run together, shared pages counted once, sampled in runs of
their own. `--ours` times another command of ours.
"""

from __future__ import annotations

import argparse
import compileall
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
_SAMPLE_SECONDS = 0.01
_OURS = [sys.executable, "-c", "from underspend.cli.main import main; main()", "audit", "--timezone", "UTC"]


@dataclass(frozen=True, slots=True)
class Run:
    """One timed run: seconds on the wall, seconds of processor time."""

    wall: float
    processor: float


def timed(command: Sequence[str], environment: dict[str, str]) -> Run:
    """Run a command to its end."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begun
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return Run(wall, used.ru_utime + used.ru_stime)


def memory_of(command: Sequence[str], environment: dict[str, str]) -> int:
    """The most megabytes that a command and its children held at a time."""
    most = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
        while process.poll() is None:
            most = max(most, sum(map(held, family(process.pid))))
            time.sleep(_SAMPLE_SECONDS)
    return most // 1024


def family(number: int) -> list[int]:
    """A process and all that come from it."""
    try:
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    except OSError:
        return []
    return [number, *(other for child in children for other in family(int(child)))]


def held(number: int) -> int:
    """The kilobytes of a process, shared pages divided among those who share them."""
    try:
        lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def installed(folder: Path) -> Path:
    """A ccusage of our own from npm: the native binary without its launcher."""
    subprocess.run(["npm", "i", "--silent", "--prefix", str(folder), f"ccusage@{_VERSION}"], check=True)
    found = next(folder.glob("node_modules/@ccusage/*/bin/ccusage"))
    found.chmod(0o755)
    return found


class Bench:
    """The files, the programs and where they may write."""

    def __init__(self, folder: Path, grown: Path, ccusage: Path, ours: list[str] | None) -> None:
        self.home = folder / "home"
        self.grown = grown
        self.theirs = [str(ccusage), "claude", "daily", "--offline", "--json", "-z", "UTC"]
        self.ours = [*(ours or _OURS), "--root", str(grown)]
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "CLAUDE_CONFIG_DIR": str(grown),
            "UNDERSPEND_HOME": str(self.home),
        }

    def peer(self) -> Run:
        """Their run over everything."""
        return timed(self.theirs, self.environment)

    def forget(self) -> None:
        """Let the next run of ours be the first."""
        shutil.rmtree(self.home, ignore_errors=True)

    def cold(self) -> Run:
        """Our first run."""
        self.forget()
        return timed(self.ours, self.environment)

    def warm(self, number: int) -> Run:
        """Our run after one session more."""
        first = next(iter(sorted(self.grown.rglob("*.jsonl"))))
        new = first.with_name(f"new-{number}.jsonl")
        new.write_bytes(renamed(first.read_bytes(), 10_000 + number))
        try:
            return timed(self.ours, self.environment)
        finally:
            new.unlink()

    def memory(self) -> dict[str, int]:
        """The most megabytes of each kind of run."""
        self.forget()
        cold = memory_of(self.ours, self.environment)
        return {
            "ccusage": memory_of(self.theirs, self.environment),
            "cold": cold,
            "warm": memory_of(self.ours, self.environment),
        }


def measured(bench: Bench, rounds: int) -> dict[str, list[Run]]:
    """Every program once a round, in turn."""
    found: dict[str, list[Run]] = {"ccusage": [], "cold": [], "warm": []}
    bench.peer()
    for number in range(rounds):
        found["ccusage"].append(bench.peer())
        found["cold"].append(bench.cold())
        found["warm"].append(bench.warm(number))
    return found


def report(found: dict[str, list[Run]], memory: dict[str, int]) -> str:
    """Medians, and ratios to ccusage's in the same round."""
    lines = ["| run | seconds | fastest | CPU seconds | MB | times ccusage |", "|-|-|-|-|-|-|"]
    peers = found["ccusage"]
    for name, runs in found.items():
        ratio = median(run.wall / peer.wall for run, peer in zip(runs, peers, strict=True))
        lines.append(
            f"| {name} | {median(run.wall for run in runs):.2f} | {min(run.wall for run in runs):.2f} "
            f"| {median(run.processor for run in runs):.2f} | {memory[name]} | {ratio:.2f} |"
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
    compileall.compile_dir(Path(__file__).parents[1] / "src" / "underspend", quiet=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = grow(given.data, folder / "grown", given.megabytes * _MEGABYTE)
        files = len(list((folder / "grown").rglob("*.jsonl")))
        print(f"{size / _MEGABYTE:.0f} MB in {files} files, {given.rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
        bench = Bench(folder, folder / "grown", given.ccusage or installed(folder / "npm"), given.ours)
        print(report(measured(bench, given.rounds), bench.memory()))


if __name__ == "__main__":
    main()
