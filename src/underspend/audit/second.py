"""A second process that reads a part of the transcripts and looks at the sessions in them.

The numbers of the portions lie in a pipe from which both processes take the next one, so that neither waits for the
other at the end of the reading. What was read stays where it was read: only the parts made of it are handed over, and
the files of groups that both have read a part of.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import struct
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from underspend.audit.kept import Member
from underspend.readers.claude_code.collection import without_collection
from underspend.readers.claude_code.reading import read_extract
from underspend.readers.claude_code.records import Extract, Source, pack, unpack
from underspend.readers.claude_code.sharing import NUMBER, numbers

if TYPE_CHECKING:
    import subprocess

    from underspend.audit.part import Looking

_START = "from underspend.audit.second import main; main()"
_LENGTH = struct.Struct("<Q")
_HARM = (OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError, ValueError)


class Second:
    """The second process, as the first one sees it. Where it comes to harm, what it was to do is left undone."""

    def __init__(self, process: subprocess.Popen[bytes] | Copy, queue: int) -> None:
        self._process = process
        self._queue = queue
        self._harmed = False

    @classmethod
    def start(cls, sources: Sequence[Source], portions: Sequence[Sequence[int]]) -> Second | None:
        """A process that begins to take portions; None where there can be none (Windows hands no pipes over)."""
        if os.name != "posix":
            return None
        queue, feed = os.pipe()
        os.write(feed, b"".join(NUMBER.pack(number) for number in range(len(portions))))
        os.close(feed)
        try:
            process = Copy() if can_be_copied() else _begun(queue)
        except OSError:
            os.close(queue)
            return None
        made = cls(process, queue)
        made._tell((queue, list(sources), portions))
        return made

    def shares(self) -> Iterator[int]:
        """The portions that fall to the first process."""
        return numbers(self._queue)

    def read(self) -> Mapping[int, tuple[Member, bool]]:
        """The files that the second process has read, by their index, and whether they could be."""
        return self._told() or {}

    def ask(self, wanted: Sequence[int], groups: Sequence[Sequence[int]], looking: Looking) -> dict[int, Extract]:
        """Hand over what it read of some files, and let it look at some groups of the others."""
        self._tell((wanted, groups, looking))
        return {index: unpack(packed) for index, packed in (self._told() or {}).items()}

    def parts(self) -> Sequence[bytes]:
        """The parts, packed, that the groups it was asked for are; none where it came to harm."""
        return self._told() or ()

    def end(self) -> None:
        """Let it go."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait()
        os.close(self._queue)

    def _tell(self, what: object) -> None:
        if self._process.stdin is not None and not self._harmed:
            try:
                _write(self._process.stdin, what)
            except _HARM:
                self._harmed = True

    def _told(self) -> Any:
        if self._process.stdout is None or self._harmed:
            return None
        try:
            return _read(self._process.stdout)
        except _HARM:
            self._harmed = True
            return None


def can_be_copied() -> bool:
    """Whether this is a process of its own, of which a copy can be made: it need not import everything again."""
    return sys.platform == "linux" and sys.stdout is sys.__stdout__ and threading.active_count() == 1


class Copy:
    """A copy of this process that does the work of the second one, with what is used here of `subprocess.Popen`."""

    def __init__(self) -> None:
        # What both need is imported once.
        import underspend.advisors
        import underspend.audit.part
        import underspend.readers.claude_code.merge  # noqa: F401

        told, tell = os.pipe()
        answers, answer = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            with _the_end():
                os.close(tell)
                os.close(answers)
                work(os.fdopen(told, "rb"), os.fdopen(answer, "wb"))
        os.close(told)
        os.close(answer)
        self.stdin: IO[bytes] | None = os.fdopen(tell, "wb")
        self.stdout: IO[bytes] | None = os.fdopen(answers, "rb")

    def kill(self) -> None:
        """End it."""
        os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait for its end."""
        return os.waitpid(self._pid, 0)[1]


@contextmanager
def _the_end() -> Iterator[None]:
    """Whatever happens in it, the process ends with it and says nothing."""
    try:
        yield
    finally:
        os._exit(0)


def _begun(queue: int) -> subprocess.Popen[bytes]:
    """A new process."""
    import subprocess

    return subprocess.Popen(  # noqa: S603  (this very interpreter, nothing from outside)
        [sys.executable, "-S", "-c", _START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=(queue,),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


def _write(stream: IO[bytes], what: object) -> None:
    raw = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(raw)))
    stream.write(raw)
    stream.flush()


def _read(stream: IO[bytes]) -> Any:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    return pickle.loads(stream.read(_LENGTH.unpack(head)[0]))  # noqa: S301  # written by our own other process


def work(told: IO[bytes], answers: IO[bytes]) -> None:
    """What the second process does: read what falls to it, then look at what it is asked for."""
    from underspend.audit.filed import look_at, member_of

    queue, sources, portions = _read(told)
    extracts: dict[int, Extract] = {}
    members: dict[int, tuple[Member, bool]] = {}
    for number in numbers(queue):
        for index in portions[number]:
            extracts[index], readable = read_extract(sources[index])
            members[index] = member_of(sources[index], extracts[index]), readable
    _write(answers, members)
    wanted, groups, looking = _read(told)
    _write(answers, {index: pack(extracts.pop(index)) for index in wanted})
    from underspend.audit.part import pack as packed

    # What was read is not given back piece by piece: the process ends here.
    _write(answers, [packed(look_at([(sources[i], extracts[i]) for i in group], looking)) for group in groups])


def main() -> None:
    """Where the process begins."""
    with without_collection(), contextlib.suppress(*_HARM):
        work(sys.stdin.buffer, sys.stdout.buffer)
    sys.stdout.flush()
    os._exit(0)
