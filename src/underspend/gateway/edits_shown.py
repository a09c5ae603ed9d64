"""An edit as before and after: in numbers always, in words where the user has the text of requests stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from underspend.core.call import Call
from underspend.core.editing import apply
from underspend.core.edits import (
    DropMessages,
    Edit,
    Refuse,
    ReplaceContent,
    SetBreakpoint,
    SetEffort,
    SetMaxOutput,
    SetModel,
    ShortenContent,
    Warn,
)
from underspend.core.plan import Plan
from underspend.formats.anthropic_edits import shortened
from underspend.formats.lenient import Json, decode, items, obj

_MOST_SHOWN = 2_000


def details(plan: Plan, raw: bytes | None = None) -> Iterator[str | None]:
    """What each decision of a plan changes, in their order: "max_tokens 32000 → 400".

    With the request's body, which is given only where the user stores it, lines of what stood there (-) and of what
    stands there now (+) follow.
    """
    call = plan.asked
    parts = _parts(raw) if raw is not None and any(_has_text(each.edit) for each in plan.decisions) else []
    for each in plan.decisions:
        said = _in_numbers(each.edit, call)
        words = _in_words(each.edit, parts) if parts else ""
        yield f"{said}\n{words}" if words else said
        if each.applied and not isinstance(each.edit, ReplaceContent | ShortenContent):
            call = apply(each.edit, call)


def _in_numbers(edit: Edit, call: Call) -> str | None:  # noqa: PLR0911  # one line for each edit there is
    match edit:
        case SetModel(model=model, provider=provider):
            return f"model → {provider}/{model}" if provider else f"model → {model}"
        case SetBreakpoint(at=at, ttl=ttl):
            return f"breakpoint {call.blocks[at].breakpoint or 'none'} → {ttl} on {_named(call, at)}"
        case ReplaceContent(at=at, tokens=tokens):
            return f"{_named(call, at)}: {_tokens(call, at)} → a note of {tokens}"
        case ShortenContent(at=at, tokens=tokens):
            return f"{_named(call, at)}: {_tokens(call, at)} → {tokens} of its ends"
        case DropMessages(first=first, last=last):
            gone = [block for block in call.blocks if first <= block.message <= last]
            size = sum(block.tokens for block in gone)
            return f"messages {first} to {last} left out: {len(gone)} blocks, {size:,} tokens"
        case SetMaxOutput(tokens=tokens):
            return f"max_tokens {call.max_output} → {tokens}"
        case SetEffort(effort=effort):
            return f"effort {call.effort or 'none'} → {effort}"
        case Warn() | Refuse():
            return None
        case _:
            assert_never(edit)


def _named(call: Call, at: int) -> str:
    return f"block {at + 1} ({call.blocks[at].label})"


def _tokens(call: Call, at: int) -> str:
    return f"{call.blocks[at].tokens:,} tokens"


def _has_text(edit: Edit) -> bool:
    return isinstance(edit, ReplaceContent | ShortenContent | DropMessages)


def _in_words(edit: Edit, parts: Sequence[tuple[int, Json]]) -> str:
    match edit:
        case ReplaceContent(at=at, text=text) if at < len(parts):
            return _differing(_text(parts[at][1].get("content")), text)
        case ShortenContent(at=at, head=head, tail=tail, words=words) if at < len(parts):
            content = parts[at][1].get("content")
            return _differing(_text(content), _text(shortened(content, head, tail, words)))
        case DropMessages(first=first, last=last):
            gone = (_text(part.get("content", part.get("text"))) for number, part in parts if first <= number <= last)
            return _differing("\n".join(gone), "")
        case _:
            return ""


def _differing(before: str, after: str) -> str:
    """Lines that went (-) and came (+), between those that both begin and end with."""
    was, now = before.splitlines(), after.splitlines()
    begin = _same(was, now)
    end = _same(was[begin:][::-1], now[begin:][::-1])
    went, came = was[begin : len(was) - end], now[begin : len(now) - end]
    lines = [*(f"- {line}" for line in _cut(went)), *(f"+ {line}" for line in _cut(came))]
    return "\n".join([*_said_same(begin), *lines, *_said_same(end)])


def _same(these: Sequence[str], those: Sequence[str]) -> int:
    most = min(len(these), len(those))
    return next((at for at in range(most) if these[at] != those[at]), most)


def _said_same(count: int) -> list[str]:
    return [f"  … {count:,} lines stay"] if count else []


def _cut(lines: Sequence[str]) -> list[str]:
    """As many lines as are shown of a long text, and how many more there are."""
    shown, left = list[str](), _MOST_SHOWN
    for number, line in enumerate(lines):
        if left <= 0:
            return [*shown, f"… {len(lines) - number:,} lines more"]
        shown.append(line[:left])
        left -= len(line) + 1
    return shown


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text") or f"({part.get('type')})") for part in items(content))


def _parts(raw: bytes) -> list[tuple[int, Json]]:
    """The blocks of a body in the order that edits count them, each with the number of its message (-1 outside)."""
    body = obj(decode(raw))
    outside = [*items(body.get("tools")), *_blocks(body.get("system"))]
    inside = enumerate(items(body.get("messages")))
    return [
        *((-1, part) for part in outside),
        *((number, part) for number, message in inside for part in _blocks(message.get("content"))),
    ]


def _blocks(content: object) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else items(content)
