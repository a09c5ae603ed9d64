"""Work shared with a second process: a copy of this one, made with all it knows, which takes half of what is to do."""

from __future__ import annotations

import gc
import os
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

Task = Callable[[], Any]


def done(tasks: Sequence[Task], *, by_two: bool) -> list[Any]:
    """What each task gives, in their order.

    `by_two` lets a second process begin at the front of the row while this one begins at its end, until they meet; what
    a task gives must then be picklable. Where there can be no second process, or it fails, this one does everything.
    """
    found = _by_two(tasks) if by_two and can_share() else {}
    return [found[index] if index in found else task() for index, task in enumerate(tasks)]


def can_share() -> bool:
    """Whether a copy of this process can work beside it.

    Linux alone: macOS has system libraries that do not bear copying, and a copy of several threads may never wake.
    """
    return sys.platform == "linux" and threading.active_count() == 1 and len(os.sched_getaffinity(0)) > 1


def _by_two(tasks: Sequence[Task]) -> dict[int, Any]:
    """What was done, by the index of the task: everything, unless the copy came to harm."""
    free, granted = os.pipe()
    answers, told = os.pipe()
    # Each byte allows one more task to be taken: together the two never take more than there are.
    os.write(granted, bytes(len(tasks)))
    os.close(granted)
    child = _copy()
    if child == 0:
        os.close(answers)
        _second(tasks, free, told)
    os.close(told)
    try:
        found = {index: tasks[index]() for index in reversed(range(len(tasks))) if os.read(free, 1)}
        return found | _answers(answers)
    finally:
        os.close(free)
        os.close(answers)
        if child is not None:
            os.waitpid(child, 0)


def _copy() -> int | None:
    """The number of the new process, 0 in that process itself; None where the system allows no more of them."""
    try:
        return os.fork()
    except OSError:
        return None


def _second(tasks: Sequence[Task], free: int, told: int) -> None:
    """What the copy does, until it ends. It never returns and leaves what it shares with the first as it is."""
    status = 1
    try:
        # A collection would write to every object there is, and so copy all memory that is shared until then.
        gc.disable()
        found = {index: task() for index, task in enumerate(tasks) if os.read(free, 1)}
        with open(told, "wb") as stream:
            stream.write(pickle.dumps(found, pickle.HIGHEST_PROTOCOL))
        status = 0
    finally:
        # No clean-up of the first process's: its buffers, its exit handlers, its connections.
        os._exit(status)


def _answers(answers: int) -> dict[int, Any]:
    """What the copy has done; nothing if it came to harm, half a message is none."""
    with open(answers, "rb", closefd=False) as stream:
        raw = stream.read()
    try:
        return dict(pickle.loads(raw))  # noqa: S301  # written by our own copy
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError):
        return {}
