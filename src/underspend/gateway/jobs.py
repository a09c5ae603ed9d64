"""Background tasks that are watched: each is kept until it ends, and its failure is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine


class Jobs:
    """Starts tasks and holds them. `on_fault` hears of every one that fails."""

    def __init__(self, on_fault: Callable[[str, str], None]) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_fault = on_fault

    def start(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """Run the work until it ends or `stop` is called."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def stop(self) -> None:
        """Cancel what still runs and wait for it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fault(f"job {task.get_name()}", f"{type(error).__name__}: {error}")
