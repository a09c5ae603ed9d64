"""What a call's kept reply goes by: a digest of everything that can change the reply, and the facts rules ask for.

The digest is over one notation. White space, escapes and the order of the request's own keys do not count, nor a
string in place of a list of one text block, nor a null in a block, nor where the client put cache breakpoints: none of
it reaches the model. Everything else does, unknown fields and headers included. The keys inside schemas and inputs of
tools keep their order, and numbers their digits, since the model reads them as text.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from underspend.formats.lenient import Json, obj
from underspend.formats.usual_request import usual

_decode = msgspec.json.Decoder(float_hook=lambda digits: msgspec.Raw(digits.encode())).decode
_encode = msgspec.json.encode
_VERSION = 2  # part of every key: replies kept under another notation are not found
_ABOUT_THE_REPLY = ("anthropic-", "openai-", "x-goog-")
_CREDENTIALS = frozenset({"x-goog-api-key"})
_SAFETY_STOP = "</severity>"
_FLAT = frozenset({"thinking", "tool_choice", "metadata", "output_config", "stream_options", "reasoning"})
_SAMPLING = frozenset({"temperature", "top_p"})
_BREAKPOINT = frozenset({"type", "ttl"})
_MOST_DIGITS = 28
_PLAIN_KEYS = 2
_REMEMBERED = 256
RawHeaders = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A call as the response cache sees it.

    `key` is its identity, 32 bytes. `varied`, `outside` and `safety` are as in `core.replies.Asked`; `output` is the
    limit of the reply. `asks` is the text of a call that is one question and nothing else, and `frame` the identity
    of everything around it; both are empty for all other calls.
    """

    key: bytes
    model: str
    stream: bool
    varied: bool = False
    outside: str = ""
    safety: bool = False
    output: int | None = None
    asks: str = field(default="", repr=False)
    frame: bytes = b""


class Questions:
    """Reads calls, remembering the last ones: a call repeated byte by byte is not read again."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Question | None] = OrderedDict()

    def read(  # noqa: PLR0913  # what was asked, and of whom
        self, raw: bytes, *, tenant: str, provider: str, dialect: str, target: str, headers: RawHeaders
    ) -> Question | None:
        """The call with this body; None when it cannot be read beyond doubt, and so has no kept reply.

        `provider` is where it goes (an URL serves), `dialect` one of "anthropic", "openai" (chat), "responses" and
        "gemini", `target` the path and query. Header names are lower case; only those that can change the reply count,
        all lines of them.
        """
        around = [_VERSION, tenant, provider, dialect, target, _about_the_reply(headers)]
        name = _digest(_encode(around), raw)
        if name in self._known:
            self._known.move_to_end(name)
            return self._known[name]
        made = self._known[name] = _question(raw, dialect, target, _encode(around))
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return made


def _about_the_reply(headers: RawHeaders) -> list[tuple[str, str]]:
    """The headers that can change a reply: the version, the betas in any order, and all else of a provider's own."""
    made, betas = list[tuple[str, str]](), set[str]()
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "anthropic-beta":
            betas |= {beta.strip() for beta in value.split(",")}
        elif name.startswith(_ABOUT_THE_REPLY) and name not in _CREDENTIALS:
            made.append((name, value))
    return [*sorted(made), *(("anthropic-beta", beta) for beta in sorted(betas - {""}))]


def _question(raw: bytes, dialect: str, target: str, around: bytes) -> Question | None:
    try:
        plain = usual(raw) if dialect == "anthropic" else None
        body = _decode(raw) if plain is None else plain
        if not isinstance(body, dict) or (plain is None and _says_twice(raw, body)):
            return None
        canonical = _encode(_canonical(body, dialect))
        streams = body.get("stream") is True or ":stream" in target.partition("?")[0]
        asks, blanked = _one_question(body) if dialect == "anthropic" else ("", {})
        return Question(
            key=_digest(around, canonical),
            model=str(body.get("model") or ""),
            stream=streams,
            varied=_is_varied(body, dialect),
            outside=_outside(body, dialect, canonical if plain is None else b""),
            safety=_is_safety(body),
            output=_output(body),
            asks=asks,
            frame=_digest(around + b"frame", _encode(_canonical(blanked, dialect))) if asks else b"",
        )
    except (msgspec.DecodeError, RecursionError, ArithmeticError, ValueError):
        return None


def _digest(around: bytes, canonical: bytes) -> bytes:
    made = hashlib.sha256(around + b"\0")
    made.update(canonical)
    return made.digest()


def _says_twice(raw: bytes, body: Json) -> bool:
    """Whether an object holds a key twice: readers differ in which of the two counts."""
    if _encode(body) == raw:
        return False

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ValueError("a key occurs twice")
        return made

    json.loads(raw, object_pairs_hook=unique)
    return False


def _canonical(body: Json, dialect: str) -> Json:
    """The request in one notation; of dialects other than Anthropic's only the order of keys is evened out."""
    made = {name: body[name] for name in sorted(body) if not (name == "stream" and body[name] is False)}
    for name in made.keys() & _SAMPLING:
        made[name] = _plain_number(made[name])
    for name in made.keys() & _FLAT:
        made[name] = _sorted(made[name])
    if dialect != "anthropic":
        return made
    if _is_breakpoint(made.get("cache_control")):
        del made["cache_control"]
    if "tools" in made:
        made["tools"] = _each(made["tools"], _block)
    if "system" in made:
        made["system"] = _content(made["system"])
    if "messages" in made:
        made["messages"] = _each(made["messages"], _message)
    return made


def _each(value: object, read: Callable[[object], object]) -> object:
    return [read(item) for item in value] if isinstance(value, list) else value


def _content(value: object) -> object:
    return [{"type": "text", "text": value}] if isinstance(value, str) else _each(value, _block)


def _message(value: object) -> object:
    if not isinstance(value, dict):
        return value
    made = {name: value[name] for name in sorted(value)}
    if "content" in made:
        made["content"] = _content(made["content"])
    return made


def _block(value: object) -> object:
    if not isinstance(value, dict):
        return value
    if len(value) == _PLAIN_KEYS and value.get("type") == "text" and isinstance(text := value.get("text"), str):
        return {"type": "text", "text": text}  # as most are, in a third of the time
    made = {"type": value["type"]} if "type" in value else {}
    made |= {name: value[name] for name in sorted(value) if name != "type"}
    if "cache_control" in made and _is_breakpoint(made["cache_control"]):
        del made["cache_control"]
    if None in made.values():
        made = {name: part for name, part in made.items() if part is not None}
    if made.get("type") == "tool_result" and "content" in made:
        made["content"] = _content(made["content"])
    return made


def _is_breakpoint(value: object) -> bool:
    """Whether a `cache_control` is a plain breakpoint: what it may hold besides could mean more."""
    return isinstance(value, dict) and value.get("type") == "ephemeral" and value.keys() <= _BREAKPOINT


def _sorted(value: object) -> object:
    return {name: value[name] for name in sorted(value)} if isinstance(value, dict) else value


def _plain_number(value: object) -> object:
    """1, 1.0 and 1.00 are one temperature."""
    if not isinstance(value, msgspec.Raw) or len(bytes(value)) > _MOST_DIGITS:
        return value
    return msgspec.Raw(str(Decimal(bytes(value).decode()).normalize()).encode())


def _is_varied(body: Json, dialect: str) -> bool:
    where = body if dialect != "gemini" else obj(body.get("generationConfig"))
    temperature = where.get("temperature")
    if isinstance(temperature, msgspec.Raw):
        return Decimal(bytes(temperature).decode()) != 0
    return temperature is not None and temperature != 0


def _output(body: Json) -> int | None:
    limit = body.get("max_tokens")
    return limit if isinstance(limit, int) and not isinstance(limit, bool) else None


def _is_safety(body: Json) -> bool:
    """Checks that a client makes of an action: told by their stop sequence, or by what asks the provider for one."""
    stops = body.get("stop_sequences")
    return (isinstance(stops, list) and _SAFETY_STOP in stops) or bool(body.get("safeguards"))


_STATEFUL = {
    "mcp_servers": "an MCP server",
    "container": "a container's files",
    "conversation": "a conversation kept by the provider",
    "background": "a job in the background",
    "context_management": "edits the provider makes",
    "cachedContent": "content cached at the provider",
}


def _outside(body: Json, dialect: str, canonical: bytes) -> str:
    """What a reply depends on that is not in the request; empty where all of it is."""
    found = next((what for name, what in _STATEFUL.items() if body.get(name)), "")
    if found or (dialect == "anthropic" and _URL_SOURCE not in canonical):
        return found
    asked = (body.get("messages"), body.get("input"), body.get("contents"), body.get("system"))
    return "a document fetched from an URL" if any(map(_fetches, asked)) else ""


_URL_SOURCE = b'"type":"url"'  # as every source with an URL has it: looking for this spares nearly all the walk
_URL_FIELDS = frozenset({"image_url", "file_url", "fileUri", "file_uri"})
_HOLDS_MORE = frozenset({"content", "source", "parts", "fileData", "file_data"})


def _fetches(value: object) -> bool:
    """Whether any content block is to be fetched from an URL."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            if part.get("type") == "url":
                return True
            if not _URL_FIELDS.isdisjoint(part) and any(_is_remote(part.get(name)) for name in _URL_FIELDS):
                return True
            if not _HOLDS_MORE.isdisjoint(part):
                waiting += [part[name] for name in _HOLDS_MORE if name in part]
    return False


def _is_remote(value: object) -> bool:
    address = obj(value).get("url") if isinstance(value, dict) else value
    return isinstance(address, str) and not address.startswith("data:")


def _one_question(body: Json) -> tuple[str, Json]:
    """The text of a call that is one typed question, and the call without it; an empty text for all others.

    `metadata` is left out too: it says for whom the client asks, and the same answer is meant for all of them.
    """
    messages = body.get("messages")
    if body.get("tools") or not isinstance(messages, list) or len(messages) != 1:
        return "", {}
    message = obj(messages[0])
    blocks = _content(message.get("content"))
    if message.get("role") != "user" or not isinstance(blocks, list) or len(blocks) != 1:
        return "", {}
    block = obj(blocks[0])
    if block.keys() != {"text", "type"} or block["type"] != "text" or not isinstance(block["text"], str):
        return "", {}
    around = {name: part for name, part in body.items() if name != "metadata"}
    return block["text"].strip(), {**around, "messages": [{**message, "content": []}]}
