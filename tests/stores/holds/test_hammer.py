"""Clients and processes at once against one budget of $5.00, with aborts, kills and restarts."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from stores.holds.hammer import BUDGET, CAP, CLIENTS, LIFE, PROCESSES, Client, Log, asked, hammer, logged, now
from stores.holds.servers import Server, fresh
from underspend.core.budgets import PastCall, Subject, bookings
from underspend.core.holds import Refused, Reserved
from underspend.stores.holds.memory import MemoryHolds


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_processes_that_are_killed_never_pass_the_budget_nor_lose_of_it(
    kind: str, tmp_path: Path, server: Server
) -> None:
    with fresh(kind, tmp_path, server) as place:
        report = hammer(kind, place, tmp_path, 8)
    assert report.problems == []
    assert report.kills >= 2
    assert report.reserved > 50
    assert report.highest > CAP // 2, "the budget was not under pressure"


def test_one_process_that_starts_again_from_the_ledger_never_passes_the_budget(tmp_path: Path) -> None:
    log = Log(tmp_path / "one.log")
    for life in range(3):
        bills = [int(words[0]) for words in logged(tmp_path, "BILL").values()]
        subject = Subject(model="m", session="one")
        past = [PastCall(subject=subject, at=now(), amount=amount) for amount in bills]
        holds = MemoryHolds()
        assert holds.restore(BUDGET.series, bookings(BUDGET, past), now=now())
        highest = _run(holds, log, life)
        assert CAP // 2 < highest <= CAP
    after = now() + LIFE
    (standing,) = holds.standings(asked(after), now=after)
    assert (standing.spent, standing.held) == (sum(int(words[0]) for words in logged(tmp_path, "BILL").values()), 0)
    room = CAP - standing.spent
    assert isinstance(holds.reserve("last", asked(after), room, now=after, expires=after + LIFE), Reserved)
    assert isinstance(holds.reserve("beyond", asked(after), 1, now=after, expires=after + LIFE), Refused)
    assert logged(tmp_path, "PHANTOM") == {}


def _run(holds: MemoryHolds, log: Log, life: int) -> int:
    def run(client: Client) -> None:
        for n in range(40):
            client.call(n)

    clients = [Client(holds, log, f"{life}.{n}") for n in range(CLIENTS * PROCESSES)]
    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    highest = 0
    while any(thread.is_alive() for thread in threads):
        at = now()
        highest = max(highest, holds.standings(asked(at), now=at)[0].used)
        threads[0].join(0.005)
    return highest
