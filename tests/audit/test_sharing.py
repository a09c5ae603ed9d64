import os
import signal
import threading

import pytest

from underspend.audit import sharing
from underspend.audit.sharing import can_share, done

FIRST = os.getpid()
needs_two = pytest.mark.skipif(not can_share(), reason="no second process here")


def squares(count, each=lambda number: number * number):
    return [lambda number=number: each(number) for number in range(count)]


def in_second(what):
    """A task that does something in the second process alone, and takes long enough there to have begun."""

    def task():
        if os.getpid() != FIRST:
            what()
        return "done"

    return task


@pytest.mark.parametrize("by_two", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 200])
def test_every_task_is_done_in_order(count, by_two):
    assert done(squares(count), by_two=by_two) == [number * number for number in range(count)]


@needs_two
def test_two_processes_take_part():
    wait = threading.Event()
    pids = done([lambda: (wait.wait(0.05), os.getpid())[1]] * 8, by_two=True)
    assert pids[-1] == FIRST
    assert len(set(pids)) == 2
    assert pids == sorted(pids, key=lambda pid: pid == FIRST)


def fail():
    raise ValueError("only here")


@needs_two
@pytest.mark.parametrize(
    "harm", [lambda: os._exit(0), lambda: os._exit(3), fail, lambda: os.kill(os.getpid(), signal.SIGKILL)]
)
def test_what_a_second_process_did_not_hand_over_is_done_here(harm):
    wait = threading.Event()
    tasks = [in_second(harm), lambda: wait.wait(0.1), lambda: wait.wait(0.1)]
    assert done(tasks, by_two=True) == ["done", False, False]


@needs_two
def test_what_cannot_be_handed_over_is_done_here():
    wait = threading.Event()
    lock, *_ = done([threading.Lock, *[lambda: wait.wait(0.05)] * 3], by_two=True)
    assert lock.acquire(blocking=False)


@needs_two
def test_a_task_that_fails_here_fails_and_leaves_no_process():
    with pytest.raises(ValueError, match="only here"):
        done([lambda: 1, fail], by_two=True)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@needs_two
def test_a_system_that_allows_no_more_processes(monkeypatch):
    def refuse():
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    assert done(squares(5), by_two=True) == [0, 1, 4, 9, 16]


def test_no_second_process_beside_threads_or_off_linux(monkeypatch):
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    assert not can_share()
    go.set()
    thread.join()
    monkeypatch.setattr(sharing.sys, "platform", "darwin")
    assert not can_share()
