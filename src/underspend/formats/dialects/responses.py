"""OpenAI's Responses API, as what a client speaks and as what a provider speaks."""

from __future__ import annotations

from underspend.formats.dialects.neutral import Abilities, Answer, Ask, Problem
from underspend.formats.dialects.responses_answer_reader import read_answer
from underspend.formats.dialects.responses_answer_writer import write_answer
from underspend.formats.dialects.responses_ask_reader import read_ask
from underspend.formats.dialects.responses_ask_writer import write_ask
from underspend.formats.dialects.responses_event_reader import ResponsesEventReader
from underspend.formats.dialects.responses_event_writer import ResponsesEventWriter
from underspend.formats.dialects.responses_problem import read_problem, write_problem
from underspend.formats.dialects.responses_reasoning import DIALECT


class Responses:
    """Both sides of `POST /v1/responses`. It keeps nothing: every reader and writer of a stream is a new one."""

    name = DIALECT

    def read_ask(self, body: bytes) -> Ask:
        """A request. Raises CannotCarryError for what needs a state at OpenAI, ValueError for what is no request."""
        return read_ask(body)

    def write_ask(self, ask: Ask, target: Abilities) -> tuple[bytes, tuple[str, ...]]:
        """A request's body, and what of it was left out. Raises CannotCarryError."""
        return write_ask(ask, target)

    def read_answer(self, body: bytes) -> Answer:
        """A whole reply. Raises ValueError for what is none."""
        return read_answer(body)

    def write_answer(self, answer: Answer, ask: Ask) -> bytes:
        """A whole reply."""
        return write_answer(answer, ask)

    def event_reader(self) -> ResponsesEventReader:
        """A new stream to be read."""
        return ResponsesEventReader()

    def event_writer(self, ask: Ask) -> ResponsesEventWriter:
        """A new stream to be written."""
        return ResponsesEventWriter(ask)

    def read_problem(self, status: int, body: bytes) -> Problem:
        """An error reply, whatever its body is."""
        return read_problem(status, body)

    def write_problem(self, problem: Problem) -> bytes:
        """The body of an error."""
        return write_problem(problem)


RESPONSES = Responses()
