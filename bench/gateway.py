"""What a gateway costs: Underspend with its accounting on, beside nginx, LiteLLM and Portkey, in one interleaved run.

    python bench/gateway.py                      the whole run (about ten minutes); writes docs/benchmarks.md
    python bench/gateway.py --cells 4k-json@1 --targets nginx,underspend --rounds 3 --seconds 0.3

Linux with two CPUs or more; gcc, taskset, and for the peers nginx (or apt-get), PyPI, node with npm. A peer that cannot
be installed is said and skipped. See docs/benchmarks.md for the method.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sqlite3
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import bodies
import report
from measure import LOAD_CPU, Cell, Mock, Others, Running, start
from targets import TARGETS, MissingError, Target

DOCS = Path(__file__).parents[1] / "docs" / "benchmarks.md"
CELLS = {
    cell.name: cell
    for cell in (
        *(Cell(size, reply, conc) for conc in (1, 32) for reply in ("json", "sse") for size in bodies.SIZES),
        Cell("4k", "paced", 32),
    )
}
Result = dict[str, Any]
_QUIET = 0.15  # of the busier of the two CPUs, taken by other programs
_SETTLE_SECONDS = 0.1  # work a gateway does after its reply belongs to the request it is done for


def main() -> None:
    """Run what is asked for, print the report, and write it when nothing was left out."""
    asked = _arguments()
    if (os.cpu_count() or 1) <= LOAD_CPU:
        sys.exit("bench: two CPUs are needed, one for the gateway under test and one for the load")
    os.sched_setaffinity(0, {LOAD_CPU})
    result: Result = {"about": _about(asked), "versions": {}, "skipped": {}, "startup": {}, "memory": {}, "cells": {}}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        mock = Mock(Path(folder))
        stack.callback(mock.close)
        targets = _installed(asked.targets, result)
        _measure_starts(targets, mock, Path(folder), asked.starts, result)
        running = _start_all(targets, mock, Path(folder), stack, result)
        _measure_cells(running, mock, asked, result)
        _close_books(running, Path(folder), result)
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1))
    text = report.markdown(result)
    print(text)
    if asked.targets == list(TARGETS) and asked.cells == list(CELLS):
        DOCS.write_text(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds; figures are medians over them (default 7)")
    parser.add_argument("--seconds", type=float, default=0.8, help="seconds per target, cell and round (default 0.8)")
    parser.add_argument("--tries", type=int, default=3, help="loads per figure while the CPUs are not ours (default 3)")
    parser.add_argument("--starts", type=int, default=5, help="starts measured per target (default 5)")
    parser.add_argument("--targets", type=_listed(TARGETS), default=list(TARGETS), help=f"of {','.join(TARGETS)}")
    parser.add_argument("--cells", type=_listed(CELLS), default=list(CELLS), help=f"of {','.join(CELLS)}")
    parser.add_argument("--json", type=Path, help="write every figure of every round here")
    return parser.parse_args()


def _listed(known: dict[str, Any]) -> Any:
    def names(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not one of {', '.join(known)}")
        return chosen

    return names


def _about(asked: argparse.Namespace) -> Result:
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    system = Path("/etc/os-release").read_text().splitlines()
    return {
        "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",  # noqa: TID251  # the date of a report, not of a call
        "cpu": next((line.partition(": ")[2] for line in cpuinfo if line.startswith("model name")), "unknown"),
        "cpus": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "system": next((line.partition("=")[2].strip('"') for line in system if line.startswith("PRETTY_NAME")), ""),
        "python": sys.version.split()[0],
        "rounds": asked.rounds,
        "seconds": asked.seconds,
        "blocks": {name: bodies.blocks(bodies.request(size, stream=True)) for name, size in bodies.SIZES.items()},
    }


def _installed(names: list[str], result: Result) -> list[Target]:
    found = []
    for name in names:
        _say(f"{name}: installing if need be")
        try:
            result["versions"][name] = TARGETS[name].version()
            found.append(TARGETS[name])
        except (MissingError, OSError, StopIteration) as error:
            result["skipped"][name] = str(error)
            _say(f"{name}: skipped: {error}")
    return found


def _measure_starts(targets: list[Target], mock: Mock, folder: Path, count: int, result: Result) -> None:
    """Time from the command to the first reply passed on: on a home that exists, and for ours also on a new one."""
    own = [target for target in targets if target.same_process_as not in {other.name for other in targets}]
    for index in range(count + 1):
        for target in own if index % 2 else reversed(own):
            home = folder / f"start-{target.name}"
            home.mkdir(exist_ok=True)
            try:
                running = start(target, home, mock)
            except RuntimeError as error:
                _say(str(error))
                continue
            running.stop()
            times = result["startup"].setdefault(target.name, {"new": [], "again": []})
            times["again" if index else "new"].append(running.first_200_seconds)
            _say(f"{target.name}: first 200 after {running.first_200_seconds:.2f} s")


def _start_all(targets: list[Target], mock: Mock, folder: Path, stack: ExitStack, result: Result) -> list[Running]:
    found: dict[str, Running] = {}
    for target in targets:
        if target.same_process_as in found:
            found[target.name] = replace(
                found[target.same_process_as], target=target, sent=0, forwarded=0, altered=0, failed=0
            )
            continue
        home = folder / target.name
        home.mkdir()
        before = mock.requests()
        try:
            one = start(target, home, mock)
        except RuntimeError as error:
            result["skipped"][target.name] = str(error)
            _say(str(error))
            continue
        stack.callback(one.stop)
        one.forwarded = mock.requests() - before
        time.sleep(2)
        one.idle_mb = one.peak_mb = one.pss_mb()
        found[target.name] = one
    return list(found.values())


def _measure_cells(running: list[Running], mock: Mock, asked: argparse.Namespace, result: Result) -> None:
    for one in running:  # connections, caches and compiled code, none of it counted
        for cell in (CELLS["4k-json@32"], CELLS["200k-sse@1"]):
            _measure(one, mock, cell, 0.5)
    order: list[Running | None] = [None, *running]
    for number in range(asked.rounds):
        _say(f"round {number + 1} of {asked.rounds}")
        for name in asked.cells:
            for each in order if number % 2 == 0 else reversed(order):
                found = _measure(each, mock, CELLS[name], asked.seconds, asked.tries)
                target = each.target.name if each is not None else "direct"
                result["cells"].setdefault(name, {}).setdefault(target, []).append(found)
    for one in running:
        peak = max(other.peak_mb for other in running if other.process is one.process)
        result["memory"][one.target.name] = {"idle": one.idle_mb, "peak": peak}


def _measure(one: Running | None, mock: Mock, cell: Cell, seconds: float, tries: int = 1) -> Result:
    """Load a target once or, while others are using the CPUs, a few times: the quietest of them counts.

    It is chosen by what others took of the CPUs, not by what was measured.
    """
    found: Result = {}
    for _ in range(tries):
        tried = _load(one, mock, cell, seconds)
        if not found or tried["foreign_cpu"] < found["foreign_cpu"]:
            found = tried
        if found["foreign_cpu"] < _QUIET:
            break
    return found


def _load(one: Running | None, mock: Mock, cell: Cell, seconds: float) -> Result:
    reached, own = mock.requests(), one.cpu_ms() if one is not None else 0.0
    others = Others(mock, one)
    target, port = (None, mock.port) if one is None else (one.target, one.port)
    found = mock.load(target, port, cell, seconds)
    if one is not None:
        time.sleep(_SETTLE_SECONDS)
        found["cpu_ms"] = (one.cpu_ms() - own) / max(found["answered"], 1)
        one.sent += found["sent"]
        one.forwarded += mock.requests() - reached
        one.failed += found["errors"]
        one.altered += found.get("different", 0)
        one.peak_mb = max(one.peak_mb, one.pss_mb())
    found["foreign_cpu"] = others.share()
    return found


def _close_books(running: list[Running], folder: Path, result: Result) -> None:
    """Stop every gateway and compare what was sent, what reached upstream, and what our ledger says."""
    for one in running:
        if one.target.name != "underspend":
            continue
        one.stop()
        database = sqlite3.connect(folder / "underspend" / "ledger.sqlite3")
        calls, settled, output, cached, cost = database.execute(
            "SELECT count(*), sum(state = 'settled' AND outcome = 'ok'), sum(output_tokens), sum(cache_read_tokens),"
            " sum(cost_pico) FROM calls"
        ).fetchone()
        (different,) = database.execute("SELECT count(DISTINCT cost_pico) FROM calls").fetchone()
        database.close()
        size = sum(file.stat().st_size for file in (folder / "underspend").glob("ledger.sqlite3*"))
        result["ledger"] = {
            "sent": one.sent,
            "calls": calls,
            "settled": settled,
            "output_tokens": [output, one.sent * bodies.USAGE["output_tokens"]],
            "cache_read_tokens": [cached, one.sent * bodies.USAGE["cache_read_input_tokens"]],
            "cost_pico": cost,
            "distinct_costs": different,
            "bytes": size,
        }
    result["counts"] = {
        one.target.name: {"sent": one.sent, "forwarded": one.forwarded, "altered": one.altered, "failed": one.failed}
        for one in running
    }


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
