"""Translating a call: a client's dialect to a provider's and the reply back, by way of the neutral form.

A client's dialect reads requests and writes replies; a provider's writes requests and reads replies. A `Translator` is
one of each, so that every client is understood by every provider. Those there are stand in `formats.translators`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from underspend.formats.dialects.neutral import Answer, Ask, Event, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a request goes: the provider's name for the model, and what that model can do.

    `provider` is its name in the price catalogue. `max_output` is the model's own limit, None where it is not known.
    `efforts` are the words for effort that the model takes, weakest first, None where they are not known. `adaptive` is
    whether it decides itself how much to think, `sampling` whether it takes a temperature, `mid_system` whether system
    messages may stand among the others, `quiet` whether its thinking can be turned off, `forced_tools` whether a tool
    may be demanded. `formats.translators.target_of` fills it from the catalogue.
    """

    model: str
    provider: str = ""
    max_output: int | None = None
    images: bool = True
    documents: bool = True
    tools: bool = True
    structured: bool = True
    thinking: bool = True
    cache_control: bool = False
    efforts: tuple[str, ...] | None = None
    adaptive: bool = True
    sampling: bool = True
    mid_system: bool = True
    quiet: bool = True
    forced_tools: bool = True


class EventReader(Protocol):
    """A provider's stream to events."""

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that these bytes complete."""
        ...

    def finish(self) -> Sequence[Event]:
        """What is left at the end; a `Problem` where the stream broke off before its own end."""
        ...


class EventWriter(Protocol):
    """Events to a client's stream."""

    def write(self, event: Event) -> bytes:
        """The bytes of one event; empty where the dialect says nothing of it."""
        ...


class ClientDialect(Protocol):
    """What a client speaks."""

    name: str

    def read_ask(self, body: bytes) -> Ask:
        """A request. Raises CannotCarryError for what cannot be left out, ValueError for what is no request."""
        ...

    def write_answer(self, answer: Answer, ask: Ask) -> bytes:
        """A whole reply."""
        ...

    def event_writer(self, ask: Ask) -> EventWriter:
        """A new stream."""
        ...

    def write_problem(self, problem: Problem) -> bytes:
        """The body of an error."""
        ...


class ProviderDialect(Protocol):
    """What a provider speaks."""

    name: str

    def write_ask(self, ask: Ask, target: Target) -> tuple[bytes, tuple[str, ...]]:
        """A request's body, and what of it was left out. Raises CannotCarryError."""
        ...

    def read_answer(self, body: bytes) -> Answer:
        """A whole reply. Raises ValueError for what is none."""
        ...

    def event_reader(self) -> EventReader:
        """A new stream."""
        ...

    def read_problem(self, status: int, body: bytes) -> Problem:
        """An error reply, whatever its body is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One translated call: the body to send, what was left out of it, and the way back."""

    body: bytes
    dropped: tuple[str, ...]
    ask: Ask
    client: ClientDialect
    provider: ProviderDialect

    @property
    def stream(self) -> bool:
        """Whether the client asked for a stream."""
        return self.ask.stream

    def reply(self, body: bytes) -> bytes:
        """A whole reply in the client's dialect. Raises ValueError where it is none."""
        return self.client.write_answer(self.provider.read_answer(body), self.ask)

    def streaming(self) -> StreamTranslator:
        """A translator of one streamed reply."""
        return StreamTranslator(self.provider.event_reader(), self.client.event_writer(self.ask))

    def problem(self, status: int, body: bytes) -> bytes:
        """An error reply in the client's dialect: the provider's words, in the client's form."""
        return self.client.write_problem(self.provider.read_problem(status, body))


class StreamTranslator:
    """Feed it a provider's stream; it returns the client's."""

    def __init__(self, reader: EventReader, writer: EventWriter) -> None:
        self._reader = reader
        self._writer = writer

    def feed(self, data: bytes) -> bytes:
        """What the client gets for these bytes, perhaps nothing yet."""
        return b"".join(map(self._writer.write, self._reader.feed(data)))

    def finish(self) -> bytes:
        """The end of the client's stream."""
        return b"".join(map(self._writer.write, self._reader.finish()))


@dataclass(frozen=True, slots=True)
class Translator:
    """From what a client speaks to what a provider speaks, and back."""

    client: ClientDialect
    provider: ProviderDialect

    @property
    def name(self) -> str:
        """As in `anthropic_openai`."""
        return f"{self.client.name}_{self.provider.name}"

    def translate(self, body: bytes, target: Target) -> Exchange:
        """One request. Raises CannotCarryError with what cannot be said, ValueError for what is no request."""
        ask = replace(self.client.read_ask(body), model=target.model)
        sent, left_out = self.provider.write_ask(ask, target)
        return Exchange(
            body=sent, dropped=(*ask.dropped, *left_out), ask=ask, client=self.client, provider=self.provider
        )
