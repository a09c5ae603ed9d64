"""Checks the Responses and Gemini dialects on every recorded reply of a data folder.

    python scripts/check_translation_more.py ../shared/data

Each line is one bar: what holds, how often. The folder has `provider-traffic/` with recordings as `recordings.py` reads
them. The `openai` package must be there: it parses what the Responses dialect writes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter, ValidationError

import recordings
from underspend.core.errors import CannotCarryError, MeterError
from underspend.core.usage import Usage
from underspend.formats.dialects.gemini import GEMINI
from underspend.formats.dialects.neutral import Answer, Ask, Ended, Event, Message, More, PartBegan, Problem, Text
from underspend.formats.dialects.responses import RESPONSES
from underspend.formats.meter import meter
from underspend.formats.sse import SseParser
from underspend.formats.translation import ProviderDialect, Target

Row = tuple[str, str, bool]
ASK = Ask(model="asked", messages=(Message("user", (Text("hello"),)),))
ERROR = 400
CUTS = (1, 7, 64, 1000)
ENDS = {"response.completed", "response.incomplete"}
_EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded exchange and the dialect it is of."""

    name: str
    exchange: recordings.Exchange
    provider: ProviderDialect

    @property
    def reply(self) -> bytes:
        """The body of the reply."""
        return self.exchange.reply

    @property
    def is_error(self) -> bool:
        """Whether it is an error reply."""
        begin = b"".join(self.reply[:40].split())
        return self.exchange.status >= ERROR or begin.startswith(b'{"error"')

    @property
    def streams(self) -> bool:
        """Whether it is a stream."""
        return not self.reply.lstrip().startswith(b"{")


def recorded(data: Path) -> list[Recorded]:
    """Every recorded exchange of the two dialects."""
    found = []
    for path in recordings.files(data):
        for exchange in recordings.exchanges(path):
            provider = _provider(path, exchange)
            if provider is not None:
                found.append(Recorded(path.name, exchange, provider))
    return found


def _provider(path: Path, exchange: recordings.Exchange) -> ProviderDialect | None:
    place, url = path.as_posix(), exchange.url.partition("?")[0]
    if url.endswith("/responses") or "openai/src/responses/" in place:
        return RESPONSES
    return GEMINI if "enerateContent" in url or "packages/google/" in place else None


def rows(data: Path) -> Iterator[Row]:
    """Every bar: what holds, the figure, whether it is reached."""
    found = recorded(data / "provider-traffic")
    for provider, title in ((RESPONSES, "Responses"), (GEMINI, "Gemini")):
        mine = [each for each in found if each.provider is provider]
        yield _row(f"{title}: error replies keep the provider's words", [_keeps_words(e) for e in mine if e.is_error])
        good = [each for each in mine if not each.is_error]
        yield _row(
            f"{title}: replies are read, with the words and the usage that they report", [_is_read(e) for e in good]
        )
        streams = [each for each in good if each.streams]
        yield _row(f"{title}: streams give the same events however they are cut", [_is_steady(e) for e in streams])
        yield _row(f"{title}: a stream that breaks off never ends well", [_breaks(e) for e in streams])
        yield _row(f"{title}: OpenAI's SDK parses what a Responses client gets", [_sdk_reads(e) for e in good])
    asked = [each for each in found if each.provider is RESPONSES and each.exchange.request]
    yield _row(
        "Responses: recorded requests are read, and written again to the same", [_is_asked(each) for each in asked]
    )
    yield _row("Responses: recorded requests are written for Gemini", [_is_asked_of_gemini(each) for each in asked])


def _row(bar: str, held: Sequence[bool]) -> Row:
    return bar, f"{sum(held)}/{len(held)}", bool(held) and all(held)


def events(each: Recorded, cut: int = 0) -> list[Event]:
    """The events of a recorded stream, fed in pieces of this size."""
    reader = each.provider.event_reader()
    size = cut or len(each.reply) or 1
    fed = [event for at in range(0, len(each.reply), size) for event in reader.feed(each.reply[at : at + size])]
    return [*fed, *reader.finish()]


def _keeps_words(each: Recorded) -> bool:
    value = json.loads(each.reply)
    problem = each.provider.read_problem(each.exchange.status, each.reply)
    return json.loads(RESPONSES.write_problem(problem))["error"]["message"] == value["error"]["message"]


def _is_read(each: Recorded) -> bool:
    if not _ends(each.reply):
        # A recording that lacks its own end, or tells of a fault, must give a problem.
        return isinstance(events(each)[-1], Problem)
    read = events(each) if each.streams else each.provider.read_answer(each.reply)
    words, usage = _said(read)
    try:
        billed = meter(each.reply).reported
    except MeterError:
        billed = Usage()
    return usage == billed and _words_of(each.reply) == words


def _said(read: list[Event] | Answer) -> tuple[str, Usage]:
    if isinstance(read, Answer):
        return "".join(part.text for part in read.parts if isinstance(part, Text)), read.usage
    words, text = [], False
    for event in read:
        text = isinstance(event.part, Text) if isinstance(event, PartBegan) else text
        words += [event.text] if text and isinstance(event, More) else []
    last = read[-1]
    return "".join(words), last.usage if isinstance(last, Ended) else Usage()


def _objects(reply: bytes) -> list[Any]:
    """The JSON objects of a reply, however it came."""
    if reply.lstrip()[:1] in {b"{", b"["}:
        value = json.loads(reply)
        return value if isinstance(value, list) else [value]
    parser = SseParser()
    found = []
    for data in (*parser.feed(reply), *parser.finish()):
        try:
            found.append(json.loads(data))
        except ValueError:
            continue
    return found


def _ends(reply: bytes) -> bool:
    """Whether the recording holds the reply's own end."""
    return any(
        value.get("type") in ENDS
        or value.get("object") == "response"
        or any(candidate.get("finishReason") for candidate in value.get("candidates", ()))
        for value in _objects(reply)
    )


def _words_of(reply: bytes) -> str:
    """The text of a reply, taken from its objects without our readers."""
    said: list[str] = []
    done: list[str] = []
    for value in _objects(reply):
        for candidate in value.get("candidates", ()):
            parts = candidate.get("content", {}).get("parts", ())
            said += [part["text"] for part in parts if "text" in part and not part.get("thought")]
        for item in value.get("output", ()):
            said += [piece["text"] for piece in item.get("content") or () if piece.get("type") == "output_text"]
        if value.get("type") == "response.output_text.done":
            done.append(value["text"])
    return "".join(done or said)


def _is_steady(each: Recorded) -> bool:
    whole = events(each)
    return all(events(each, cut) == whole for cut in CUTS)


def _breaks(each: Recorded) -> bool:
    """Cut before the last object that matters, at many places: never an end, always a problem."""
    last = max(
        each.reply.rfind(b"response.completed"), each.reply.rfind(b"finishReason"), each.reply.rfind(b'"type":"error"')
    )
    if last < 0:
        return True
    places = range(1, last, max(1, last // 50))
    return all(
        _is_problem(Recorded(each.name, recordings.Exchange(reply=each.reply[:at]), each.provider)) for at in places
    )


def _is_problem(each: Recorded) -> bool:
    read = events(each)
    return isinstance(read[-1], Problem) and not any(isinstance(event, Ended) for event in read)


def _sdk_reads(each: Recorded) -> bool:
    try:
        if not each.streams:
            whole = Response.model_validate_json(RESPONSES.write_answer(each.provider.read_answer(each.reply), ASK))
            return whole.object == "response"
        return _sdk_reads_stream(events(each))
    except ValidationError as error:
        print(each.name, error)
        return False


def _sdk_reads_stream(told: list[Event]) -> bool:
    writer = RESPONSES.event_writer(ASK)
    parser = SseParser()
    parsed = [
        _EVENTS.validate_python(_with_known_code(data)) for data in parser.feed(b"".join(map(writer.write, told)))
    ]
    numbered = [event.sequence_number for event in parsed] == list(range(len(parsed)))
    if isinstance(told[-1], Problem):
        return numbered and parsed[-1].type in {"error", "response.failed"}
    return numbered and parsed[-1].type in ENDS and parsed[-1].response.output_text == _said(told)[0]


def _with_known_code(data: bytes) -> Any:
    """An event. The code of a failure is the provider's, as from OpenAI's own server, whatever its SDK lists."""
    event = json.loads(data)
    if event["type"] == "response.failed":
        event["response"]["error"]["code"] = "server_error"
    return event


def _is_asked(each: Recorded) -> bool:
    ask = RESPONSES.read_ask(each.exchange.request or b"")
    body, _ = RESPONSES.write_ask(ask, Target(model=ask.model, provider="openai", cache_control=True))
    again = RESPONSES.read_ask(body)
    second, _ = RESPONSES.write_ask(again, Target(model=ask.model, provider="openai", cache_control=True))
    return second == body


def _is_asked_of_gemini(each: Recorded) -> bool:
    ask = RESPONSES.read_ask(each.exchange.request or b"")
    try:
        body, _ = GEMINI.write_ask(ask, Target(model="gemini", provider="google"))
    except CannotCarryError:
        return False
    return bool(json.loads(body)["contents"])


def main(arguments: list[str]) -> int:
    """Print every bar; 1 where one is missed."""
    if len(arguments) != 1:
        print("usage: check_translation_more.py DATA")
        return 2
    found = list(rows(Path(arguments[0])))
    for bar, figure, held in found:
        print(f"{'PASS' if held else 'FAIL'}  {bar}: {figure}")
    return 0 if all(held for _, _, held in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
