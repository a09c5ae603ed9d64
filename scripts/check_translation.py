"""The bars of translation: `scripts/check_translation.py DATA`.

DATA is a folder with `provider-traffic/` and `claude-code-*/`. Prints each bar with its figure. Ends with 1 if any bar
fails. What a recorded reply says is read from its bytes here, apart from the readers under test; what the client gets
is read by the official SDK of its dialect.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from recordings import Exchange, exchanges, files
from sdk_parsing import ENDS, Said, Sdks, arguments
from underspend.core.errors import CannotCarryError
from underspend.core.usage import Usage
from underspend.formats import anthropic_usage, openai_usage
from underspend.formats.dialects.neutral import Ended, More, Part, PartBegan, Refusal, Text, ToolUse
from underspend.formats.translation import Exchange as Translated
from underspend.formats.translation import Target
from underspend.formats.translators import TRANSLATORS, target_of
from underspend.readers.claude_code.requests import wire_requests

Row = tuple[str, bool, str]
OTHER = {"anthropic": "openai", "openai": "anthropic"}
CUTS = 5
_HOLDS = {"choices": "openai", "candidates": "gemini"}
_STOPS = {"model_context_window_exceeded": "max_tokens", "compaction": "pause_turn"}


def rows(data: Path) -> Iterator[Row]:
    """Each bar: its name, whether it holds, its figure."""
    yield from replies(data)
    yield from _requests(data)


def replies(data: Path) -> Iterator[Row]:
    """The bars of recorded replies."""
    sdks = Sdks()
    try:
        found = [each for path in files(data / "provider-traffic") for each in _recorded(path)]
        for name in TRANSLATORS:
            client, _, provider = name.partition("_")
            yield from _replies(found, provider, client, sdks)
    finally:
        sdks.close()


def _recorded(path: Path) -> Iterator[tuple[str, Path, Exchange]]:
    for exchange in exchanges(path):
        kind = _kind(exchange.reply)
        if kind is not None:
            yield kind, path, exchange


def _kind(body: bytes) -> str | None:
    """Whose dialect a reply is in, as its bytes show; None for one that is neither a reply nor a stream of ours."""
    first = next(iter(payloads(body)), None) if is_stream(body) else _loads(body)
    if not isinstance(first, dict):
        return None
    if first.get("type") in {"message", "message_start"}:
        return "anthropic"
    if first.get("object") == "response" or first.get("type") == "response.created":
        return "responses"
    return next((name for member, name in _HOLDS.items() if isinstance(first.get(member), list)), None)


def is_stream(body: bytes) -> bool:
    """Whether a body is server-sent events."""
    return not body.lstrip().startswith((b"{", b"["))


def payloads(body: bytes) -> list[Any]:
    """The JSON of each event; what is cut short is left out."""
    events = (_loads(line[5:]) for line in body.split(b"\n") if line.startswith(b"data:"))
    return [event for event in events if isinstance(event, dict)]


def _loads(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def said(provider: str, body: bytes) -> Said | None:
    """What a recorded reply says, read here and not by what is checked; None for one that has no end."""
    if provider == "anthropic":
        return _said_by_claude(_assembled(body) if is_stream(body) else json.loads(body))
    if provider != "openai":
        return _said_by_reader(provider, body)
    return _said_by_gpt(payloads(body) if is_stream(body) else [json.loads(body)])


def _said_by_claude(message: Any) -> Said | None:
    if message is None or not message.get("stop_reason"):
        return None
    blocks = message["content"]
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    calls = tuple((block["name"], block["input"]) for block in blocks if block["type"] == "tool_use")
    stop = message["stop_reason"]
    return Said(text, calls, _STOPS.get(stop, stop), anthropic_usage.split_lanes(message["usage"]))


def _assembled(body: bytes) -> Any:
    """The message of a stream, put together as the documents say."""
    message: Any = None
    for event in payloads(body):
        match event.get("type"):
            case "message_start":
                message = event["message"]
            case "content_block_start":
                message["content"].append({**event["content_block"], "pieces": ""})
            case "content_block_delta":
                delta, block = event["delta"], message["content"][-1]
                block["text"] = block.get("text", "") + delta.get("text", "")
                block["pieces"] += delta.get("partial_json", "")
            case "message_delta":
                message["stop_reason"] = event["delta"].get("stop_reason")
                message["usage"] = anthropic_usage.merge(message["usage"], event.get("usage") or {})
    for block in message["content"] if message is not None else ():
        if block.get("pieces"):
            block["input"] = arguments(block["pieces"])
    return message


def _said_by_gpt(chunks: list[Any]) -> Said | None:
    text, end, usage = "", None, Usage()
    calls: dict[int, list[str]] = {}
    for chunk in chunks:
        usage = openai_usage.lanes(chunk["usage"]) if chunk.get("usage") else usage
        for choice in chunk["choices"]:
            delta = choice.get("delta") or choice.get("message") or {}
            text += (delta.get("content") or "") + (delta.get("refusal") or "")
            end = choice.get("finish_reason") or end
            for place, call in enumerate(delta.get("tool_calls") or ()):
                pair = calls.setdefault(call.get("index", place), ["", ""])
                pair[0] = pair[0] or call["function"].get("name", "")
                pair[1] += call["function"].get("arguments") or ""
    made = tuple((name, arguments(given)) for name, given in calls.values())
    return None if end is None else Said(text, made, ENDS[end], usage)


def _said_by_reader(provider: str, body: bytes) -> Said | None:
    """What the provider's own reader makes of a reply: then only the way to the client is checked."""
    dialect = TRANSLATORS[f"anthropic_{provider}"].provider
    if not is_stream(body):
        answer = dialect.read_answer(body)
        return _said_by(answer.parts, answer.stop.value, answer.usage)
    reader, parts = dialect.event_reader(), list[Any]()
    for event in (*reader.feed(body), *reader.finish()):
        match event:
            case PartBegan(part):
                parts.append(replace(part, arguments="") if isinstance(part, ToolUse) else part)
            case More(words):
                name = "arguments" if isinstance(parts[-1], ToolUse) else "text"
                parts[-1] = replace(parts[-1], **{name: getattr(parts[-1], name) + words})
            case Ended():
                return _said_by(parts, event.stop.value, event.usage)
    return None


def _said_by(parts: Iterable[Part], end: str, usage: Usage) -> Said:
    text = "".join(part.text for part in parts if isinstance(part, (Text, Refusal)))
    calls = tuple((part.name, arguments(part.arguments or "{}")) for part in parts if isinstance(part, ToolUse))
    return Said(text, calls, end, usage)


def asked(client: str, *, stream: bool) -> bytes:
    """A request of a client's, as small as can be."""
    body: Any = {"model": "m", "stream": stream}
    if client == "responses":
        return json.dumps({**body, "input": "hello"}).encode()
    body["messages"] = [{"role": "user", "content": "hello"}]
    body |= {"max_tokens": 9} if client == "anthropic" else {"stream_options": {"include_usage": True}}
    return json.dumps(body).encode()


def translated(exchange: Translated, body: bytes) -> bytes:
    """A reply in the client's dialect, whole or streamed."""
    if not exchange.stream:
        return exchange.reply(body)
    stream = exchange.streaming()
    return stream.feed(body) + stream.finish()


def as_sent(expected: Said, client: str) -> Said:
    """What of a reply's end the client's dialect can say.

    OpenAI's know no stop sequences, Chat no pauses, and in Responses a reply with calls always ends for them.
    """
    end = expected.end
    if client != "anthropic" and end == "stop_sequence":
        end = "end_turn"
    if client == "openai" and end == "pause_turn":
        end = "end_turn"
    if client == "responses" and end == "end_turn" and expected.calls:
        end = "tool_use"
    return replace(expected, end=end)


def _replies(found: list[tuple[str, Path, Exchange]], provider: str, client: str, sdks: Sdks) -> Iterator[Row]:
    translator = TRANSLATORS[f"{client}_{provider}"]
    count, wrong, recut, unsafe = Counter[str](), list[str](), list[str](), list[str]()
    chance, spent, size = random.Random(1), 0.0, 0
    for kind, path, recorded in found:
        if kind != provider:
            continue
        stream, expected = is_stream(recorded.reply), said(provider, recorded.reply)
        exchange = translator.translate(asked(client, stream=stream), Target(model="m"))
        begin = time.perf_counter()
        body = translated(exchange, recorded.reply)
        spent, size = spent + time.perf_counter() - begin, size + len(recorded.reply)
        count["streams" if stream else "whole"] += 1
        if not _reads(sdks, client, body, expected, stream=stream):
            wrong.append(path.name)
        if stream:
            recut += [path.name] * (not _same_in_pieces(exchange, recorded.reply, body, chance))
            unsafe += [path.name] * (not _cut_is_told(exchange, recorded.reply, client, sdks, chance))
    name = f"{provider} replies for {client} clients"
    what = f"{count['whole']} whole, {count['streams']} streamed"
    yield f"{name}: text, calls, end and usage as the SDK reads them", not wrong and bool(count), _figure(what, wrong)
    yield f"{name}: cut anywhere, the same bytes", not recut, _figure(f"{CUTS} × {count['streams']} streams", recut)
    yield f"{name}: broken off, an error", not unsafe, _figure(f"{CUTS} × {count['streams']} streams", unsafe)
    rate = size / max(spent, 1e-9) / 1e6
    yield f"{name}: speed (for information)", True, f"{rate:.0f} MB/s over {size / 1e6:.1f} MB"


def _figure(what: str, wrong: list[str]) -> str:
    return what + (f"; wrong: {', '.join(sorted(set(wrong))[:5])}" if wrong else "")


def _reads(sdks: Sdks, client: str, body: bytes, expected: Said | None, *, stream: bool) -> bool:
    try:
        got = sdks.said(client, body, stream=stream)
    except Exception:  # noqa: BLE001  # whatever an SDK raises, it did not take the reply
        return expected is None
    return expected is not None and got == as_sent(expected, client)


def _same_in_pieces(exchange: Translated, body: bytes, whole: bytes, chance: random.Random) -> bool:
    for _ in range(CUTS):
        stream, made, at = exchange.streaming(), b"", 0
        while at < len(body):
            step = chance.choice((1, 2, 3, 7, 40, 300, 2000))
            made += stream.feed(body[at : at + step])
            at += step
        if _undated(made + stream.finish()) != _undated(whole):
            return False
    return True


def _undated(body: bytes) -> list[Any]:
    """A stream's events without the second they were made in."""
    return [{name: value for name, value in event.items() if name != "created"} for event in payloads(body)]


def _cut_is_told(exchange: Translated, body: bytes, client: str, sdks: Sdks, chance: random.Random) -> bool:
    """Whether a stream without its last part is never taken for a whole one, unless only the very end is missing."""
    for _ in range(CUTS):
        cut = body[: chance.randrange(1, max(2, len(body)))]
        part = _all_said(cut)
        made = translated(exchange, cut)
        try:
            sdks.said(client, made, stream=True)
        except Exception:  # noqa: BLE001  # the error that is wanted
            continue
        if not part:
            return False
    return True


def _all_said(cut: bytes) -> bool:
    """Whether the reason of the end is among what came whole."""
    return any(
        _in(event, "delta")
        or _in(event, "message")
        or any(choice.get("finish_reason") for choice in event.get("choices") or ())
        or any(choice.get("finishReason") for choice in event.get("candidates") or ())
        or str(event.get("type")) in {"response.completed", "response.incomplete"}
        for event in payloads(cut)
    )


def _in(event: Any, name: str) -> Any:
    inner = event.get(name)
    return inner.get("stop_reason") if isinstance(inner, dict) else None


def _requests(data: Path) -> Iterator[Row]:
    """Requests as they were recorded, for the other provider."""
    claude_code = [
        json.dumps(request.body).encode()
        for folder in sorted(data.glob("claude-code-*"))
        for path in sorted(folder.rglob("*.jsonl"))
        for request in wire_requests(path)
    ]
    bodies: dict[str, list[bytes]] = {"anthropic": [], "openai": []}
    for path in files(data / "provider-traffic"):
        for kind, _, exchange in _recorded(path):
            request = _loads(exchange.request or b"")
            if (
                isinstance(request, dict)
                and isinstance(request.get("messages"), list)
                and "bedrock" not in exchange.url
            ):
                bodies[kind].append(exchange.request or b"")
    yield from _sent("Claude Code's recorded requests to OpenAI", "anthropic", claude_code, refused=False)
    yield from _sent("recorded Messages requests to OpenAI", "anthropic", bodies["anthropic"], refused=True)
    yield from _sent("recorded Chat requests to Anthropic", "openai", bodies["openai"], refused=False)


def _sent(name: str, client: str, bodies: list[bytes], *, refused: bool) -> Iterator[Row]:
    provider = OTHER[client]
    target = target_of("gpt-6-sol" if provider == "openai" else "claude-sonnet-4-6", provider)
    said_no, failed, notes = Counter[str](), list[str](), Counter[str]()
    for body in bodies:
        try:
            exchange = TRANSLATORS[f"{client}_{provider}"].translate(body, target)
        except CannotCarryError as error:
            said_no[str(error).partition(" cannot be sent")[0]] += 1
            continue
        except ValueError as error:
            failed.append(str(error))
            continue
        notes.update(note.partition(":")[0] for note in exchange.dropped)
        failed += [problem for problem in (_fault(provider, json.loads(exchange.body)),) if problem]
    figure = f"{len(bodies) - said_no.total() - len(failed)} of {len(bodies)} sent"
    if said_no:
        figure += "; refused: " + ", ".join(f"{count} × {what}" for what, count in said_no.most_common(6))
    if notes:
        figure += "; left out: " + ", ".join(what for what, _ in notes.most_common(8))
    figure += f"; wrong: {', '.join(sorted(set(failed))[:5])}" if failed else ""
    yield name, bool(bodies) and not failed and (refused or not said_no), figure


def _fault(provider: str, body: Any) -> str | None:
    """What the provider would refuse of a request's form: every call has its result, right behind it."""
    messages = body["messages"]
    waiting: list[str] = []
    for message in messages:
        content = message.get("content")
        blocks = content if isinstance(content, list) else []
        answered = [block["tool_use_id"] for block in blocks if block.get("type") == "tool_result"]
        if message["role"] == "tool":
            answered = [message["tool_call_id"]]
        elif waiting and provider == "openai":
            return f"{message['role']} where a tool's result is due"
        for use in answered:
            if use not in waiting:
                return "a result without its call"
            waiting.remove(use)
        waiting += [call["id"] for call in message.get("tool_calls") or ()]
        waiting += [block["id"] for block in blocks if block.get("type") == "tool_use"]
        if not content and not message.get("tool_calls") and message["role"] != "tool":
            return f"an empty message of the {message['role']}'s"
    return "a call without its result" if waiting and messages[-1]["role"] != "assistant" else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    failed = 0
    for name, held, figure in rows(given.data):
        failed += not held
        print(f"{'ok  ' if held else 'FAIL'}  {name}: {figure}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
