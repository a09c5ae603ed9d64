"""OpenAI's Chat Completions, as a client speaks it and as a provider does."""

from __future__ import annotations

import time
from collections.abc import Callable

from underspend.formats.dialects.neutral import Abilities, Answer, Ask, Problem
from underspend.formats.dialects.openai_answer import read_answer, read_problem, write_answer, write_problem
from underspend.formats.dialects.openai_ask_read import read_ask
from underspend.formats.dialects.openai_ask_write import write_ask
from underspend.formats.dialects.openai_events import OpenAiEventReader, OpenAiEventWriter
from underspend.formats.dialects.openai_parts import NAME


def _seconds() -> int:
    return time.time_ns() // 1_000_000_000


class OpenAiDialect:
    """Both sides of Chat Completions: the `openai` SDK's, and that of every provider that speaks like OpenAI.

    `now` gives the seconds since the epoch, which each reply must carry.
    """

    name = NAME

    def __init__(self, now: Callable[[], int] = _seconds) -> None:
        self.now = now

    def read_ask(self, body: bytes) -> Ask:
        """A request. Raises CannotCarryError for what cannot be left out, ValueError for what is no request."""
        return read_ask(body)

    def write_ask(self, ask: Ask, target: Abilities) -> tuple[bytes, tuple[str, ...]]:
        """A request's body, and what of it was left out. Raises CannotCarryError."""
        return write_ask(ask, target)

    def read_answer(self, body: bytes) -> Answer:
        """A whole reply. Raises ValueError for what is none."""
        return read_answer(body)

    def write_answer(self, answer: Answer, ask: Ask) -> bytes:  # noqa: ARG002  # other dialects' replies need the request
        """A whole reply."""
        return write_answer(answer, self.now())

    def event_reader(self) -> OpenAiEventReader:
        """A new stream of the provider's."""
        return OpenAiEventReader()

    def event_writer(self, ask: Ask) -> OpenAiEventWriter:
        """A new stream for the client."""
        return OpenAiEventWriter(ask, self.now())

    def read_problem(self, status: int, body: bytes) -> Problem:
        """An error reply, whatever its body is."""
        return read_problem(status, body)

    def write_problem(self, problem: Problem) -> bytes:
        """The body of an error."""
        return write_problem(problem)


OPENAI = OpenAiDialect()
