"""Signs of how the last step went, from the results of tools that a Messages request brings, and from a reply's end.

The words that Claude Code puts into results (rejections, input that a tool does not take) are those of versions 1.0 to
2.1.328, read from its own transcripts on 2026-11-20.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from underspend.core.call import Verb
from underspend.core.signs import Sign
from underspend.formats.lenient import Json, decode, items, obj, text
from underspend.formats.tool_uses import verb_of

_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_LOOKED_AT = 12  # messages: an edit further back has nothing to do with a check that runs now
_CHECKS = re.compile(
    r"\b(pytest|unittest|jest|vitest|mocha|rspec|phpunit|tox|nox|ctest|mypy|pyright|pyre|ruff|flake8|pylint|eslint|"
    r"tsc|biome|clippy|golangci-lint|rubocop|shellcheck|phpstan|"
    r"(go|cargo|swift|dotnet|deno|bun|npm|pnpm|yarn|make|mise|gradlew?|mvn)( run)?"
    r" (test\w*|check|vet|lint\w*|type-?check|verify))\b"
)
_REJECTED = ("The user doesn't want to proceed", "The user doesn't want to take this action")
_MALFORMED = "InputValidationError"
_STOPS = {"refusal": Sign.REFUSED, "max_tokens": Sign.CUT_SHORT}


def checks(command: str) -> bool:
    """Whether a command runs tests, a linter or a type checker."""
    return _CHECKS.search(command) is not None


def of_reply(stop_reason: str | None) -> frozenset[Sign]:
    """What a reply's own end shows."""
    sign = _STOPS.get(stop_reason or "")
    return frozenset() if sign is None else frozenset({sign})


def of_results(messages: bytes) -> frozenset[Sign]:
    """What the results in a request's last message show of the replies before it; nothing where there are none.

    `messages` is the raw JSON of the request's messages. Never raises: what is no JSON shows nothing.
    """
    try:
        last = [obj(decode(raw)) for raw in _decode_list(messages)[-_LOOKED_AT:]]
    except (msgspec.DecodeError, RecursionError):
        return frozenset()
    at = next((n for n in range(len(last) - 1, -1, -1) if last[n].get("role") != "system"), -1)
    results = _results(last[at]) if at >= 0 and last[at].get("role") == "user" else []
    if not results:
        return frozenset()
    uses = {str(use.get("id")): use for message in last for use in _of_type(message, "tool_use")}
    failed_before = {
        _name(use)
        for message in last[:at]
        for result in _results(message)
        if result.get("is_error") is True and (use := uses.get(str(result.get("tool_use_id"))))
    }
    is_edited = any(verb_of(str(use.get("name"))) is Verb.EDIT for use in uses.values())
    signs = (_sign(result, uses.get(str(result.get("tool_use_id"))), failed_before, is_edited) for result in results)
    return frozenset(sign for sign in signs if sign is not None)


def _sign(result: Json, use: Json | None, failed_before: set[bytes], is_edited: bool) -> Sign | None:
    is_error = result.get("is_error") is True
    said = _begin_of(result) if is_error else ""
    if said.startswith(_REJECTED):
        return Sign.REJECTED
    if is_error and _MALFORMED in said:
        return Sign.MALFORMED
    if use is None:
        return None
    if is_error and _name(use) in failed_before:
        return Sign.REPEATED
    command = text(obj(use.get("input")).get("command")) if verb_of(str(use.get("name"))) is Verb.RUN else None
    if command is None or not is_edited or not checks(command):
        return None
    return Sign.CHECK_FAILED if is_error else Sign.CHECK_PASSED


def _of_type(message: Json, kind: str) -> Sequence[Json]:
    return [part for part in items(message.get("content")) if part.get("type") == kind]


def _results(message: Json) -> Sequence[Json]:
    return _of_type(message, "tool_result")


def _name(use: Json) -> bytes:
    """Equal for equal calls."""
    return msgspec.json.encode([use.get("name"), use.get("input")], order="deterministic")


def _begin_of(result: Json) -> str:
    content = result.get("content")
    first = content if isinstance(content, str) else next(iter(items(content)), {}).get("text")
    return str(first or "")[:200]
