"""The second reading process: started by `second.Second`, which tells it what to do through its standard input."""

from __future__ import annotations

import gc
import sys
from typing import IO

from underspend.readers.claude_code.reading import read_one
from underspend.readers.claude_code.sharing import cache_of, decode, numbers, write_result


def work(told: IO[bytes], answers: IO[bytes]) -> None:
    """Read the batches that fall to this process."""
    task = decode(told.read())
    cache = cache_of(task)
    for number in numbers(task.queue):
        for source in task.parts[number]:
            write_result(answers, source.raw_path, read_one(source, cache))
        answers.flush()


def main() -> None:
    """Where the process begins."""
    gc.disable()
    work(sys.stdin.buffer, sys.stdout.buffer)
