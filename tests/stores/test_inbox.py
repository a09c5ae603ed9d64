"""The inbox: many items to one waking, urgent ones at once."""

from __future__ import annotations

import threading
import time

from underspend.stores.inbox import Inbox

LONG = 30.0


def test_items_come_in_order_after_the_hold() -> None:
    inbox: Inbox[int] = Inbox(100)
    for number in range(3):
        inbox.put(number)
    assert inbox.take(hold=0.01) == [0, 1, 2]


def test_nothing_comes_after_an_idle_wait() -> None:
    assert Inbox(1).take(hold=LONG, idle=0.01) == []


def test_many_items_or_an_urgent_one_end_the_hold() -> None:
    began = time.monotonic()
    full: Inbox[int] = Inbox(2)
    full.put(1)
    full.put(2)
    assert full.take(hold=LONG) == [1, 2]
    urgent: Inbox[int] = Inbox(100)
    urgent.put(1)
    urgent.put(2, urgent=True)
    assert urgent.take(hold=LONG) == [1, 2]
    assert time.monotonic() - began < LONG / 2


def test_no_item_of_many_threads_is_lost() -> None:
    inbox: Inbox[tuple[int, int]] = Inbox(50)
    found: list[tuple[int, int]] = []

    def fill(which: int) -> None:
        for number in range(2_000):
            inbox.put((which, number))

    threads = [threading.Thread(target=fill, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    while len(found) < 8_000:
        found += inbox.take(hold=0.001, idle=5)
    assert [sorted(found)] == [[(which, number) for which in range(4) for number in range(2_000)]]
    for which in range(4):
        assert [number for thread, number in found if thread == which] == list(range(2_000))
