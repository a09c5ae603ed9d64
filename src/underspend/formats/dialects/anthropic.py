"""Anthropic's Messages API, as a client speaks it and as a provider does."""

from __future__ import annotations

from underspend.formats.dialects.anthropic_answer import read_answer, read_problem, write_answer, write_problem
from underspend.formats.dialects.anthropic_ask_read import read_ask
from underspend.formats.dialects.anthropic_ask_write import write_ask
from underspend.formats.dialects.anthropic_events import AnthropicEventReader, AnthropicEventWriter
from underspend.formats.dialects.anthropic_parts import NAME
from underspend.formats.dialects.neutral import Abilities, Answer, Ask, Problem


class AnthropicDialect:
    """Both sides of the Messages API: what Claude Code and the `anthropic` SDKs say, and what Claude answers."""

    name = NAME

    def read_ask(self, body: bytes) -> Ask:
        """A request. Raises CannotCarryError for what cannot be left out, ValueError for what is no request."""
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

    def event_reader(self) -> AnthropicEventReader:
        """A new stream of the provider's."""
        return AnthropicEventReader()

    def event_writer(self, ask: Ask) -> AnthropicEventWriter:
        """A new stream for the client."""
        return AnthropicEventWriter(ask)

    def read_problem(self, status: int, body: bytes) -> Problem:
        """An error reply, whatever its body is."""
        return read_problem(status, body)

    def write_problem(self, problem: Problem) -> bytes:
        """The body of an error."""
        return write_problem(problem)


ANTHROPIC = AnthropicDialect()
