"""Many clients in several processes against one budget, which are aborted, killed and started again.

In the tests it runs for some seconds; for longer, from the top of the repository:

    PYTHONPATH=src:tests python -m stores.holds.hammer --store sqlite --seconds 600
    PYTHONPATH=src:tests python -m stores.holds.hammer --store redis --seconds 600
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stores.holds.servers import Server, fresh, opened
from underspend.core.budgets import Action, Budget, Subject, claims
from underspend.core.holds import Claim, Holds, Refused, Reserved
from underspend.core.money import from_usd, show
from underspend.core.windows import SECOND, window

CAP = from_usd("5.00")
CLIENTS = 32
PROCESSES = 2
LIFE = 5 * SECOND
BUDGET = Budget(name="five", cap=CAP, window=window("session"), action=Action.BLOCK)


def now() -> int:
    return time.time_ns() // 1_000


def asked(at: int) -> tuple[Claim, ...]:
    return claims((BUDGET,), Subject(model="m", session="one"), at)


class Log:
    """What a ledger would keep: the line of a bill is written before the store of holds is told."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def write(self, *words: object) -> None:
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())


def logged(folder: Path, kind: str) -> dict[str, list[str]]:
    """The lines of a kind by call, from whole lines of all processes' logs."""
    found = {}
    for path in folder.glob("*.log"):
        for line in path.read_text().split("\n")[:-1]:
            words = line.split(" ")
            if words[0] == kind:
                found[words[1]] = words[2:]
    return found


class Client:
    """One client: reserves, then is billed, gives up, or is never heard of again."""

    def __init__(self, holds: Holds, log: Log, name: str) -> None:
        self._holds, self._log, self._name = holds, log, name
        self._random = random.Random(name)
        self.answers = {"reserved": 0, "refused": 0}

    def call(self, n: int) -> None:
        pick, call = self._random.random, f"{self._name}-{n}"
        worst = int(from_usd("0.001") * 500 ** pick())
        at = now()
        answer = self._holds.reserve(call, asked(at), worst, now=at, expires=at + LIFE)
        if isinstance(answer, Refused):
            self.answers["refused"] += 1
            if not answer.full[0].short(worst):
                self._log.write("PHANTOM", call, worst, answer.full[0].used)
            time.sleep(pick() / 100)
            return
        self.answers["reserved"] += 1
        time.sleep(pick() / 50)
        end = pick()
        if end < 0.02:
            return  # aborted, and whoever should have said so is gone: the hold must expire
        if end < 0.15:
            self._holds.release(call, now=now())
            return
        bill(self._holds, self._log, call, int(worst * pick() ** 8 / 10), at + LIFE)


def bill(holds: Holds, log: Log, call: str, amount: int, expires: int) -> None:
    log.write("BILL", call, amount, expires)
    holds.settle(call, amount, now=now())
    if now() >= expires:
        log.write("LATE", call, amount)  # this machine stood still for seconds: the hold's room was given away
    log.write("DONE", call)


def recover(holds: Holds, folder: Path, slot: str, log: Log) -> None:
    """Settle what the process before this one was billed for and could not say any more."""
    done = logged(folder, "DONE")
    for call, (amount, expires) in logged(folder, "BILL").items():
        if call.startswith(f"{slot}.") and call not in done:
            bill(holds, log, call, int(amount), int(expires))


def worker(kind: str, place: str, folder: Path, slot: str) -> None:
    """One process, until it is killed."""
    holds, log = opened(kind, place), Log(folder / f"{slot}.log")
    recover(holds, folder, slot, log)
    clients = [Client(holds, log, f"{slot}.{os.getpid()}.{n}") for n in range(CLIENTS)]
    log.write("UP", os.getpid())

    def run(client: Client) -> None:
        n = 0
        while True:
            client.call(n)
            n += 1

    threads = [threading.Thread(target=run, args=(client,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    while all(thread.is_alive() for thread in threads):
        time.sleep(0.1)
        log.write("COUNT", os.getpid(), *(sum(c.answers[what] for c in clients) for what in ("reserved", "refused")))
    log.write("BROKEN", os.getpid())


@dataclass
class Report:
    """What came of it. `highest` is the most that was settled and held at once, in pico-dollars."""

    kind: str
    kills: int = 0
    looks: int = 0
    highest: int = 0
    reserved: int = 0
    refused: int = 0
    billed: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kind}: {self.reserved} reserved, {self.refused} refused, {self.kills} kills; looked {self.looks} "
            f"times, at most {show(self.highest)} of {show(CAP)} settled and held; {show(self.billed)} billed; "
            f"problems: {self.problems or 'none'}"
        )


def hammer(kind: str, place: str, folder: Path, seconds: float, *, kill_every: float = 1.5) -> Report:
    """Run the processes for so long, killing one after the other, and hold the store to what it promises."""
    report, holds, chosen = Report(kind), opened(kind, place), random.Random(1)
    holds.restore(BUDGET.series, (), now=now())
    slots = [f"s{n}" for n in range(PROCESSES)]
    running = {slot: _start(kind, place, folder, slot) for slot in slots}
    try:
        for _ in _while(seconds, report, holds, folder, kill_every):
            slot = chosen.choice(slots)
            _kill(running[slot])
            report.kills += 1
            running[slot] = _start(kind, place, folder, slot)
    finally:
        for process in running.values():
            _kill(process)
    for slot in slots:
        recover(holds, folder, slot, Log(folder / f"{slot}.log"))
    _judge(report, holds, folder)
    holds.close()
    return report


def _while(seconds: float, report: Report, holds: Holds, folder: Path, kill_every: float) -> Iterator[None]:
    """Look at the budget again and again; yield when it is time to kill."""
    end, kill_at = time.monotonic() + seconds, time.monotonic() + 2 * kill_every
    while time.monotonic() < end:
        at = now()
        (standing,) = holds.standings(asked(at), now=at)
        report.looks += 1
        report.highest = max(report.highest, standing.used)
        if standing.used > CAP + _late(folder, standing.used):
            report.problems.append(f"{standing.used} settled and held, above the cap")
        if time.monotonic() >= kill_at:
            yield
            kill_at = time.monotonic() + kill_every
        time.sleep(0.01)


def _late(folder: Path, used: int) -> int:
    """What was booked after its hold had expired, which a machine that stands still can bring about."""
    return sum(int(amount) for (amount,) in logged(folder, "LATE").values()) if used > CAP else 0


def _judge(report: Report, holds: Holds, folder: Path) -> None:
    """After the holds have expired: what was billed is booked, and what is left can be had, to the pico-dollar."""
    bills = {call: int(words[0]) for call, words in logged(folder, "BILL").items()}
    report.billed = sum(bills.values())
    for words in logged(folder, "COUNT").values():
        report.reserved += int(words[0])
        report.refused += int(words[1])
    report.problems += [f"phantom refusal {call}: {words}" for call, words in logged(folder, "PHANTOM").items()]
    report.problems += [f"a process broke: {name}" for name in logged(folder, "BROKEN")]
    after = now() + LIFE + SECOND
    (standing,) = holds.standings(asked(after), now=after)
    if (standing.spent, standing.held) != (report.billed, 0):
        report.problems.append(f"{standing} where {report.billed} was billed")
    if standing.spent > CAP + _late(folder, standing.spent):
        report.problems.append(f"{standing.spent} spent, above the cap")
    left = max(0, CAP - standing.spent)
    if not isinstance(holds.reserve("last", asked(after), left, now=after, expires=after + LIFE), Reserved):
        report.problems.append(f"{left} was left and could not be had")
    if not isinstance(holds.reserve("beyond", asked(after), 1, now=after, expires=after + LIFE), Refused):
        report.problems.append("more than the cap could be had")


def _start(kind: str, place: str, folder: Path, slot: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "stores.holds.hammer", "--work", kind, place, str(folder), slot]
    here = Path(__file__).parents[2]
    paths = os.pathsep.join([str(here), str(here.parent / "src")])
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths})


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    options.add_argument("--store", choices=("sqlite", "redis"), default="sqlite")
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--kill-every", type=float, default=1.5)
    chosen = options.parse_args()
    if chosen.work:
        kind, place, folder, slot = chosen.work
        worker(kind, place, Path(folder), slot)
        return
    server = Server()
    try:
        with tempfile.TemporaryDirectory() as folder, fresh(chosen.store, Path(folder), server) as place:
            report = hammer(chosen.store, place, Path(folder), chosen.seconds, kill_every=chosen.kill_every)
    finally:
        server.close()
    print(report)  # noqa: T201  # a program a developer runs
    sys.exit(bool(report.problems))


if __name__ == "__main__":
    main()
