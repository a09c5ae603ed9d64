"""Google's Gemini API (`generateContent`, `streamGenerateContent`), as what a provider speaks."""

from __future__ import annotations

from underspend.formats.dialects.gemini_ask import write_ask
from underspend.formats.dialects.gemini_contents import DIALECT
from underspend.formats.dialects.gemini_problem import read_problem
from underspend.formats.dialects.gemini_reply import GeminiEventReader, read_answer
from underspend.formats.dialects.neutral import Abilities, Answer, Ask, Problem


class Gemini:
    """It keeps nothing: every reader of a stream is a new one."""

    name = DIALECT

    def write_ask(self, ask: Ask, target: Abilities) -> tuple[bytes, tuple[str, ...]]:
        """A request's body, and what of it was left out. Raises CannotCarryError."""
        return write_ask(ask, target)

    def read_answer(self, body: bytes) -> Answer:
        """A whole reply. Raises ValueError for what is none."""
        return read_answer(body)

    def event_reader(self) -> GeminiEventReader:
        """A new stream."""
        return GeminiEventReader()

    def read_problem(self, status: int, body: bytes) -> Problem:
        """An error reply, whatever its body is."""
        return read_problem(status, body)


GEMINI = Gemini()
