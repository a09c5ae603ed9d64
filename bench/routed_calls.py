"""What the router costs a call: the gateway with it off, observing and acting, one call after another in turn.

    python bench/routed_calls.py                  five rounds (a minute); writes docs/benchmarks-routed.md
    python bench/routed_calls.py --against DIR    another checkout of this project in turn with this one; printed

Linux with two CPUs or more; gcc, taskset. See docs/benchmarks.md for the machine's part in such figures.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from measure import LOAD_CPU, Mock, Others, Running, start
from targets import TARGETS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "benchmarks-routed.md"
NAMED, AUTO = "claude-opus-5-5", "auto"
SETTINGS = {
    "off": '[strategies.auto_model]\nstate = "off"\n',
    "observing": "",
    "aggressive": '[strategies.auto_model]\nstate = "on"\nmode = "aggressive"\n',
}
ROWS = (("off", NAMED), ("observing", NAMED), ("observing", AUTO), ("aggressive", NAMED), ("aggressive", AUTO))
GOAL_MS = 0.3
_WARM_UP = 50
_OK = 200
_SETTLE_SECONDS = 0.1  # work a gateway does after its reply belongs to the request it is done for
_QUIET = 0.15  # of the busier of the two CPUs, taken by other programs
_TEXT = "word " * 700
_HEADERS = {"content-type": "application/json", "x-api-key": "k", "anthropic-version": "2023-06-01"}
Figures = dict[tuple[str, str, str], list[tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway under test: of which checkout, with the router how."""

    checkout: str
    router: str
    running: Running


def main() -> None:
    """Run what is asked for, print the table, and write it when nothing was compared."""
    asked = _arguments()
    if (os.cpu_count() or 1) <= LOAD_CPU:
        sys.exit("bench: two CPUs are needed, one for the gateway under test and one for the load")
    os.sched_setaffinity(0, {LOAD_CPU})
    checkouts = {"this": ROOT} | ({"other": asked.against} if asked.against else {})
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        mock = Mock(Path(folder))
        stack.callback(mock.close)
        gateways = list(_started(checkouts, mock, Path(folder), stack))
        figures, foreign = _measured(gateways, mock, asked)
    text = _markdown(figures, foreign, asked)
    print(text)
    if not asked.against:
        DOCS.write_text(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds; figures are medians over them (default 5)")
    parser.add_argument("--calls", type=int, default=400, help="calls per round and row (default 400)")
    parser.add_argument("--tries", type=int, default=3, help="loads per figure while the CPUs are not ours (default 3)")
    parser.add_argument("--against", type=Path, help="another checkout, to be measured in turn with this one")
    return parser.parse_args()


def _started(checkouts: dict[str, Path], mock: Mock, folder: Path, stack: ExitStack) -> Iterator[Gateway]:
    for checkout, where in checkouts.items():
        for router, settings in SETTINGS.items():
            home = folder / f"{checkout}-{router}"
            home.mkdir()
            (home / "config.toml").write_text(settings)
            with _environment(PYTHONPATH=str(where.resolve() / "src")):
                running = start(TARGETS["underspend"], home, mock)
            stack.callback(running.stop)
            yield Gateway(checkout, router, running)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _measured(gateways: list[Gateway], mock: Mock, asked: argparse.Namespace) -> tuple[Figures, list[float]]:
    """The p50 and the CPU per call of every round and row in ms; what other programs took of the CPUs meanwhile."""
    figures: Figures = {}
    foreign: list[float] = []
    for number in range(asked.rounds):
        print(f"bench: round {number + 1} of {asked.rounds}", file=sys.stderr, flush=True)
        figures.setdefault(("", "direct", NAMED), []).append((_p50(mock.port, NAMED, asked.calls), 0.0))
        for router, model in ROWS:
            fitting = [each for each in gateways if each.router == router]
            for each in fitting if number % 2 == 0 else reversed(fitting):
                *found, share = _quietest(each.running, mock, model, asked)
                figures.setdefault((each.checkout, router, model), []).append((found[0], found[1]))
                foreign.append(share)
    return figures, foreign


def _quietest(running: Running, mock: Mock, model: str, asked: argparse.Namespace) -> tuple[float, float, float]:
    """Of a few loads that with the least of others on the CPUs: chosen by that alone, whatever it measured."""
    best = (0.0, 0.0, 2.0)
    for _ in range(asked.tries):
        others, used = Others(mock, running), running.cpu_ms()
        found = _p50(running.port, model, asked.calls)
        share = others.share()
        time.sleep(_SETTLE_SECONDS)
        if share < best[2]:
            best = found, (running.cpu_ms() - used) / (asked.calls + _WARM_UP), share
        if best[2] < _QUIET:
            break
    return best


def _p50(port: int, model: str, calls: int) -> float:
    """Milliseconds from a call's first byte to its reply's last, one call after another on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    taken = []
    for _ in range(calls + _WARM_UP):
        body = _body(model)
        began = time.perf_counter()
        connection.request("POST", "/v1/messages", body, _HEADERS)
        reply = connection.getresponse()
        reply.read()
        taken.append((time.perf_counter() - began) * 1_000)
        if reply.status != _OK:
            sys.exit(f"bench: a call for {model} was answered with {reply.status}")
    connection.close()
    return median(taken[_WARM_UP:])


def _body(model: str) -> bytes:
    """A call of 3.5 KB whose end no other has."""
    said = _TEXT + str(time.time_ns())
    return json.dumps({"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": said}]}).encode()


def _markdown(figures: Figures, foreign: list[float], asked: argparse.Namespace) -> str:
    checkouts = list(dict.fromkeys(checkout for checkout, *_ in figures if checkout))
    names = [""] if len(checkouts) == 1 else [f" ({each} checkout)" for each in checkouts]
    head = [f"p50 ms{name} | beside the router off | CPU ms" for name in names]
    lines = [f"| router | model | {' | '.join(head)} | |", "|---|---|" + "---:|" * (3 * len(checkouts)) + "---|"]
    for router, model in ROWS:
        cells, added = [], 0.0
        for checkout in reversed(checkouts):  # this one's last: it is the one that has the goal
            of_row, of_off = figures[checkout, router, model], figures[checkout, *ROWS[0]]
            own, used = (median(values) for values in zip(*of_row, strict=True))
            added = own - median(wall for wall, _ in of_off)
            beside = f"{added:+.3f}" if (router, model) != ROWS[0] else ""
            cells = [f"{own:.3f} | {beside} | {used:.3f}", *cells]
        met = "met" if added <= GOAL_MS else "**missed**"
        if (router, model) == ROWS[0] or median(foreign) > _QUIET:
            met = "" if (router, model) == ROWS[0] else "not judged: others had the CPUs"
        lines.append(f"| {router} | `{model}` | {' | '.join(cells)} | {met} |")
    direct = median(wall for wall, _ in figures["", "direct", NAMED])
    return _PAGE.format(
        table="\n".join(lines), direct=direct, rounds=asked.rounds, calls=asked.calls, goal=GOAL_MS,
        noise=median(foreign), most=max(foreign),
    )  # fmt: skip


_PAGE = """\
# What the router costs a call

Written by `python bench/routed_calls.py`. Calls of 3.5 KB, each a conversation of its own, one after another on one
connection: milliseconds from the first byte sent to the last of the reply. Direct, with no gateway: {direct:.3f} ms.

{table}

The goal is {goal:g} ms beside the router off, in the median. Medians over {rounds} rounds of {calls} calls, the rows
in turn; other programs took {noise:.0%} (median; at most {most:.0%}) of the busier of the two CPUs meanwhile: beyond a
few percent the figures say more of them than of the gateway. The stand-in provider answers at once and the next call
follows at once, so that work which is put off until after a reply shows where it is too much. CPU is of all threads
of the gateway, per call, with what it does after the reply.

`observing` is how it comes: a named model stays, `auto` gets the model of its preference. `aggressive` decides by what
is known, and so classes a call that it decides about before it is sent; a named model is not opened there
(`route_pinned`), and stays.
"""


if __name__ == "__main__":
    main()
