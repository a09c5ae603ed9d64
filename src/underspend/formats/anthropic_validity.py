"""The rules that the Messages API holds a conversation to: what would be a 400, said in words.

Sources: Anthropic's pages on the Messages API (roles, first message, contents that are not empty), tool use (a result
for every use, in the next message, first in it), prompt caching (four breakpoints, an hour before five minutes, what
takes none), and extended thinking (signed, never changed, a budget below the limit). Checked on 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from underspend.formats.lenient import Json, count, items, obj, text

_ROLES = frozenset({"user", "assistant", "system"})
_MOST_BREAKPOINTS = 4
_THINKING = {"thinking": "signature", "redacted_thinking": "data"}


def violations(body: Json) -> list[str]:
    """Every rule that a body breaks; none for one that the API would take."""
    messages = items(body.get("messages"))
    return [
        *_shape(messages),
        *_contents(messages),
        *_pairs(_joined(messages)),
        *_breakpoints(body, messages),
        *_thinking(messages),
        *_limits(body),
    ]


def altered_thinking(before: Json, after: Json) -> list[str]:
    """What is not as it was among the thinking blocks: each that is still there must be one that was, in order."""
    was = iter(_thoughts(before))
    return [f"thinking changed: {thought}" for thought in _thoughts(after) if not any(thought == old for old in was)]


def _shape(messages: Sequence[Json]) -> Iterator[str]:
    if not messages:
        yield "there is no message"
        return
    if messages[0].get("role") != "user":
        yield "the first message is not the user's"
    for number, message in enumerate(messages):
        if message.get("role") not in _ROLES:
            yield f"messages.{number}: no such role"


def _contents(messages: Sequence[Json]) -> Iterator[str]:
    for number, message in enumerate(messages):
        parts = _parts(message)
        # The client sends system messages that hold an effort and nothing else.
        if not parts and message.get("role") != "system":
            yield f"messages.{number}: empty content"
        for part in parts:
            if part.get("type") == "text" and not str(part.get("text") or "").strip():
                yield f"messages.{number}: empty text"
            if part.get("type") == "tool_result":
                yield from (
                    f"messages.{number}: empty text in a result"
                    for inner in items(part.get("content"))
                    if inner.get("type") == "text" and not inner.get("text")
                )


def _joined(messages: Sequence[Json]) -> list[tuple[str, list[Json]]]:
    """Messages of one role in a row are one; system messages in between do not part them."""
    found: list[tuple[str, list[Json]]] = []
    for message in messages:
        role = str(message.get("role"))
        if role == "system":
            continue
        if found and found[-1][0] == role:
            found[-1][1].extend(_parts(message))
        else:
            found.append((role, _parts(message)))
    return found


def _pairs(messages: Sequence[tuple[str, list[Json]]]) -> Iterator[str]:
    seen: set[str] = set()
    open_uses: list[str] = []
    for role, parts in messages:
        if role == "user":
            yield from _answers(parts, open_uses)
            open_uses = []
            continue
        open_uses = [text(part.get("id")) or "" for part in parts if part.get("type") == "tool_use"]
        yield from (f"the use {use} occurs twice" for use in open_uses if use in seen)
        seen.update(open_uses)


def _answers(parts: Sequence[Json], uses: Sequence[str]) -> Iterator[str]:
    kinds = [part.get("type") == "tool_result" for part in parts]
    if uses and True in kinds[_first(kinds, wanted=False) :]:
        yield "a tool's result does not stand first in its message"
    answered = [text(part.get("tool_use_id")) or "" for part in parts if part.get("type") == "tool_result"]
    yield from (f"the use {use} has no result right after it" for use in uses if use not in answered)
    yield from (f"the result of {use} has no use right before it" for use in answered if use not in uses)
    if len(set(answered)) < len(answered):
        yield "a use has two results"


def _breakpoints(body: Json, messages: Sequence[Json]) -> Iterator[str]:
    found: list[tuple[Json, Any]] = []
    blocks = [*items(body.get("tools")), *_parts({"content": body.get("system")})]
    blocks += [part for message in messages for part in _parts(message)]
    for block in blocks:
        found += [(part, part["cache_control"]) for part in _inside(block) if part.get("cache_control") is not None]
    if body.get("cache_control") is not None:
        found.append(({}, body["cache_control"]))
    if len(found) > _MOST_BREAKPOINTS:
        yield f"{len(found)} breakpoints"
    lifetimes = [text(obj(control).get("ttl")) or "5m" for _, control in found]
    if any(ttl not in {"5m", "1h"} for ttl in lifetimes):
        yield "a breakpoint of no known lifetime"
    if "1h" in lifetimes[_first(lifetimes, wanted="5m") :]:
        yield "a breakpoint for an hour after one for five minutes"
    for part, control in found:
        is_empty = part.get("type") == "text" and not part.get("text")
        if part.get("type") in _THINKING or is_empty or part.get("defer_loading") is True:
            yield f"a breakpoint on {part.get('type') or 'a deferred tool'}, which takes none"
        if obj(control).get("type") != "ephemeral":
            yield "a breakpoint that is not ephemeral"


def _thinking(messages: Sequence[Json]) -> Iterator[str]:
    for number, message in enumerate(messages):
        for part in _parts(message):
            proof = _THINKING.get(str(part.get("type")))
            if proof is not None and not isinstance(part.get(proof), str):
                yield f"messages.{number}: thinking without its {proof}"
            if proof is not None and message.get("role") != "assistant":
                yield f"messages.{number}: thinking that is not the model's"


def _limits(body: Json) -> Iterator[str]:
    limit, budget = count(body.get("max_tokens")), count(obj(body.get("thinking")).get("budget_tokens"))
    if not limit and body.get("max_tokens") != 0:
        yield "no max_tokens"
    if budget and budget >= limit:
        yield "max_tokens leaves no room beside the thinking budget"


def _thoughts(body: Json) -> list[Json]:
    return [
        {key: value for key, value in part.items() if key != "cache_control"}
        for message in items(body.get("messages"))
        for part in _parts(message)
        if part.get("type") in _THINKING
    ]


def _parts(message: Json) -> list[Json]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return items(content)


def _inside(block: Json) -> list[Json]:
    return [block, *items(block.get("content"))] if block.get("type") == "tool_result" else [block]


def _first(values: Sequence[object], *, wanted: object) -> int:
    return next((at for at, value in enumerate(values) if value == wanted), len(values))
