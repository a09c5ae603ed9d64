"""What edits do to the bytes of a Messages API request: only edited pieces are written anew, every other byte stays.

The blocks that edits name by index are those of `Anatomist.anatomy` over the same body.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from typing import Any, assert_never

import msgspec

from underspend.core.call import THINKING
from underspend.core.edits import (
    LONGEST_LINE,
    MOST_LINES,
    DropMessages,
    Edit,
    Refuse,
    ReplaceContent,
    ReplaceMessages,
    SetBreakpoint,
    SetEffort,
    SetMaxOutput,
    SetModel,
    ShortenContent,
    Warn,
)
from underspend.formats.adaptation import Written, adapt
from underspend.formats.json_slices import Patch, Slice, elements, members, patched
from underspend.formats.lenient import Json, count, decode, items, obj, text
from underspend.pricing.capabilities import capabilities

_encode = msgspec.json.encode
_MOST_BREAKPOINTS = 4


@dataclass(slots=True)
class _Place:
    """A block of the body: where it stands, the message it is in (-1 outside), and what becomes of it.

    A message or system prompt that is a plain string is a block too, `is_bare`. With `said` it is a message of the
    model's that stands for others.
    """

    at: Slice
    message: int
    is_bare: bool = False
    ttl: str | None = None
    content: Any = None
    is_gone: bool = False
    said: str | None = None


def edited(raw: bytes | Written, edits: Sequence[Edit]) -> bytes:
    """The body after all edits, in their order.

    A body for another model is adapted to what that model takes (see `formats.adaptation`). Raises ValueError when an
    edit does not fit: a block that is not there or cannot take it, an effort or limit that the body's thinking does not
    allow, breakpoints that the provider would refuse, or a model that does not take the body in any form.
    """
    body = _Body(raw if isinstance(raw, Written) else Written(raw))
    for edit in edits:
        body.take(edit)
    return body.made()


def shortened(content: Any, head: int, tail: int, words: Sequence[str] = ()) -> Any:
    """A tool result's content with the middle of its text left out, and a line that says so; other parts stay.

    Of the middle the first lines that hold one of the words stay. The same content comes back where it has no more than
    `head` + `tail` characters of text.
    """
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else items(content)
    whole = "\n".join(str(part.get("text") or "") for part in parts if part.get("type") == "text")
    if len(whole) <= head + tail:
        return content
    end = len(whole) - tail
    lines = _lines_with(whole[head:end], words) if words else []
    left_out = f"[… {end - head} characters left out{', but for these lines' if lines else ''} …]"
    said = "\n".join([whole[:head], left_out, *lines, whole[end:]])
    if isinstance(content, str):
        return said
    return [{"type": "text", "text": said}, *(part for part in parts if part.get("type") != "text")]


def _lines_with(middle: str, words: Sequence[str]) -> list[str]:
    wanted = [word.lower() for word in words]
    lines = (line[:LONGEST_LINE] for line in middle.splitlines())
    return list(islice((line for line in lines if any(word in line.lower() for word in wanted)), MOST_LINES))


class _Body:
    """A body and what is to become of it."""

    def __init__(self, written: Written) -> None:
        self._written = written
        self._raw, self._whole, self._top = written.raw, written.whole, written.top
        self._places: list[_Place] | None = None
        self._dropped: set[int] = set()
        self._stands_in: set[int] = set()
        self._set: dict[str, bytes] = {}
        self._effort: str | None = None
        self._most: int | None = None
        self._model: str | None = None

    def take(self, edit: Edit) -> None:
        """Take in one more edit; block indices are those after the ones before it."""
        match edit:
            case SetModel(model=model, provider=provider):
                self._set["model"] = _encode(model)
                self._model = model if provider in {"", "anthropic"} else None
            case SetBreakpoint(at=at, ttl=ttl):
                self._mark(self._place(at), ttl)
            case ReplaceContent(at=at, text=said):
                self._replace(self._place(at), said)
            case ShortenContent(at=at, head=head, tail=tail, words=words):
                place = self._place(at)
                content = self._result(place).get("content") if place.content is None else place.content
                place.content = shortened(content, head, tail, words)
            case DropMessages(first=first, last=last):
                self._drop(first, last)
            case ReplaceMessages(first=first, last=last, text=said):
                self._stand_in(first, last, said)
            case SetMaxOutput() | SetEffort():
                self._limit(edit)
            case Warn() | Refuse():
                pass
            case _:
                assert_never(edit)

    def made(self) -> bytes:
        """The body's new bytes."""
        patches = self._adapted()
        patches += [self._patch_member(name, new) for name, new in self._set.items()]
        if self._effort is not None:
            patches.append(self._patch_effort(self._effort))
        if self._places is not None:
            self._check_breakpoints()
            patches += [
                patch
                for place in self._places
                if place.message not in self._dropped
                for patch in self._patches_of(place)
            ]
            patches += self._thinking_left_out()
        if self._dropped:
            patches += _cuts(self._messages(), self._dropped)
        return patched(self._raw, patches)

    def _adapted(self) -> list[Patch]:
        """What another model asks for; effort and limit are then part of it."""
        target = capabilities(self._model) if self._model is not None else None
        was = self._top.get("model")
        source = capabilities(str(self._json(was))) if was is not None else None
        if target is None or target == source:
            return []
        made = adapt(self._written, target, source=source, effort=self._effort, limit=self._most)
        self._effort = None
        self._set.pop("max_tokens", None)
        self._dropped |= made.left_out - self._stands_in
        if not self._dropped and not self._stands_in:
            return made.patches
        gone = [at for number, at in enumerate(self._messages()) if number in self._dropped | self._stands_in]
        return [patch for patch in made.patches if not any(at.start <= patch.at.start < at.end for at in gone)]

    def _place(self, at: int) -> _Place:
        standing = [place for place in self._all() if place.message not in self._dropped]
        if not 0 <= at < len(standing):
            raise ValueError(f"there is no block {at}")
        return standing[at]

    def _all(self) -> list[_Place]:
        if self._places is None:
            self._places = [*self._outside("tools"), *self._outside("system"), *self._inside_messages()]
        return self._places

    def _outside(self, name: str) -> Iterator[_Place]:
        where = self._top.get(name)
        if where is None:
            return
        if self._raw.startswith(b'"', where.start):
            yield _Place(where, -1, is_bare=True)
        elif self._raw.startswith(b"[", where.start):
            yield from (_Place(at, -1) for at in elements(self._raw, where))

    def _inside_messages(self) -> Iterator[_Place]:
        for number, message in enumerate(self._messages()):
            content = members(self._raw, message).get("content")
            if content is None:
                continue
            if self._raw.startswith(b'"', content.start):
                yield _Place(content, number, is_bare=True)
            elif self._raw.startswith(b"[", content.start):
                yield from (_Place(at, number) for at in elements(self._raw, content) if self._is_object(at))

    def _messages(self) -> list[Slice]:
        if "messages" not in self._top:
            raise ValueError("no messages")
        return self._written.messages()

    def _is_object(self, at: Slice) -> bool:
        return self._raw.startswith(b"{", at.start)

    def _json(self, at: Slice) -> Any:
        return decode(self._raw[at.start : at.end])

    def _result(self, place: _Place) -> Json:
        block = {} if place.is_bare or place.said is not None else obj(self._json(place.at))
        if block.get("type") != "tool_result":
            raise ValueError("only what a tool's result says can be replaced")
        return block

    def _replace(self, place: _Place, said: str) -> None:
        """What a result says; or, where nothing is to be said, no thinking: nobody can put other words there."""
        if not said and not place.is_bare and obj(self._json(place.at)).get("type") in THINKING:
            place.is_gone = True
        else:
            self._result(place)
            place.content = said

    def _mark(self, place: _Place, ttl: str) -> None:
        if place.said is not None:
            place.ttl = ttl
            return
        block = {"text": self._json(place.at)} if place.is_bare else obj(self._json(place.at))
        if block.get("type") in THINKING or block.get("defer_loading") is True:
            raise ValueError(f"a {block.get('type') or 'deferred tool'} takes no breakpoint")
        if (place.is_bare or block.get("type") == "text") and not block.get("text"):
            raise ValueError("an empty text takes no breakpoint")
        if any("cache_control" in part for part in items(block.get("content"))):
            raise ValueError("the breakpoint stands inside the result")
        place.ttl = ttl

    def _drop(self, first: int, last: int) -> None:
        self._all()
        count_of = len(self._messages())
        if not 0 <= first <= last < count_of or len(self._dropped | {*range(first, last + 1)}) == count_of:
            raise ValueError(f"messages {first} to {last} of {count_of} cannot be left out")
        self._dropped |= {*range(first, last + 1)}

    def _stand_in(self, first: int, last: int, said: str) -> None:
        """One message in place of others, none of which may set anything for those behind it."""
        places, messages = self._all(), self._messages()
        if not 0 <= first <= last < len(messages) - 1 or self._dropped & {*range(first, last + 2)} or not said.strip():
            raise ValueError(f"nothing can stand for messages {first} to {last} of {len(messages)}")
        if any(set(members(self._raw, each)) - {"role", "content"} for each in messages[first : last + 1]):
            raise ValueError(f"messages {first} to {last} hold settings")
        at = next((number for number, place in enumerate(places) if place.message >= first), len(places))
        text = _Place(messages[first], first, said=said)
        self._places = [*places[:at], text, *(place for place in places[at:] if place.message != first)]
        self._stands_in.add(first)
        self._dropped |= {*range(first + 1, last + 1)}

    def _limit(self, edit: SetMaxOutput | SetEffort) -> None:
        if isinstance(edit, SetEffort):
            self._effort = edit.effort
            return
        thinking = self._top.get("thinking")
        budget = count(obj(self._json(thinking)).get("budget_tokens")) if thinking is not None else 0
        if edit.tokens <= budget:
            raise ValueError(f"{edit.tokens} tokens leave no room for a thinking budget of {budget}")
        self._most = edit.tokens
        self._set["max_tokens"] = _encode(edit.tokens)

    def _patch_member(self, name: str, new: bytes) -> Patch:
        where = self._top.get(name)
        if where is None:
            raise ValueError(f"no top-level {name}")
        return Patch(where, new)

    def _patch_effort(self, effort: str) -> Patch:
        where = self._top.get("output_config")
        if where is None:
            return self._added(self._whole, b'"output_config":' + _encode({"effort": effort}))
        inner = members(self._raw, where)
        if "effort" in inner:
            return Patch(inner["effort"], _encode(effort))
        return self._added(where, b'"effort":' + _encode(effort))

    def _added(self, whole: Slice, member: bytes) -> Patch:
        """One more member at the end of an object."""
        comma = b"," if members(self._raw, whole) else b""
        return Patch(Slice(whole.end - 1, whole.end - 1), comma + member)

    def _patches_of(self, place: _Place) -> Iterator[Patch]:
        if place.said is not None:
            yield Patch(place.at, _model_s(place.said, place.ttl))
            return
        if place.is_bare:
            if place.ttl is not None:
                said = self._raw[place.at.start : place.at.end]
                yield Patch(
                    place.at, b'[{"type":"text","text":' + said + b',"cache_control":' + _control(place.ttl) + b"}]"
                )
            return
        inner = members(self._raw, place.at) if place.ttl is not None or place.content is not None else {}
        added = []
        if place.content is not None:
            if "content" in inner:
                yield Patch(inner["content"], _encode(place.content))
            else:
                added.append(b'"content":' + _encode(place.content))
        if place.ttl is not None:
            control = inner.get("cache_control")
            if control is None:
                added.append(b'"cache_control":' + _control(place.ttl))
            else:
                yield self._retimed(control, place.ttl)
        if added:
            yield self._added(place.at, b",".join(added))

    def _retimed(self, control: Slice, ttl: str) -> Patch:
        """Another lifetime for a breakpoint that is there; what else it holds stays."""
        if not self._is_object(control):
            return Patch(control, _control(ttl))
        inner = members(self._raw, control)
        return Patch(inner["ttl"], _encode(ttl)) if "ttl" in inner else self._added(control, b'"ttl":' + _encode(ttl))

    def _thinking_left_out(self) -> Iterator[Patch]:
        """Each thinking block that goes. Raises ValueError where its message would be left without content."""
        gone = {place.at.start: place for place in self._all() if place.is_gone and place.message not in self._dropped}
        numbers = {place.message for place in gone.values()}
        for message in (at for number, at in enumerate(self._messages()) if number in numbers):
            parts = elements(self._raw, members(self._raw, message)["content"])
            leaving = {number for number, part in enumerate(parts) if part.start in gone}
            if len(leaving) == len(parts):
                raise ValueError("a message that holds nothing but thinking")
            yield from _cuts(parts, leaving)

    def _check_breakpoints(self) -> None:
        """At most four, and none for an hour after one for five minutes."""
        standing = [place for place in self._all() if place.message not in self._dropped]
        lifetimes = [ttl for place in standing if (ttl := self._ttl_of(place)) is not None]
        automatic = self._top.get("cache_control")
        if automatic is not None and (control := obj(self._json(automatic))):
            lifetimes.append(text(control.get("ttl")) or "5m")
        if any(place.ttl for place in standing) and len(lifetimes) > _MOST_BREAKPOINTS:
            raise ValueError(f"{len(lifetimes)} breakpoints, where {_MOST_BREAKPOINTS} are allowed")
        if any(place.ttl for place in standing) and "1h" in lifetimes[_first(lifetimes, "5m") :]:
            raise ValueError("a breakpoint for an hour after one for five minutes")

    def _ttl_of(self, place: _Place) -> str | None:
        has_none = (
            place.is_bare
            or place.said is not None
            or b'"cache_control"' not in self._raw[place.at.start : place.at.end]
        )
        if place.ttl is not None or has_none:
            return place.ttl
        block = obj(self._json(place.at))
        if block.get("defer_loading") is True:
            return None
        controls = [obj(part.get("cache_control")) for part in (block, *items(block.get("content")))]
        return next((text(control.get("ttl")) or "5m" for control in controls if control), None)


def _model_s(said: str, ttl: str | None) -> bytes:
    """A message of the model's."""
    control = b',"cache_control":' + _control(ttl) if ttl is not None else b""
    return b'{"role":"assistant","content":[{"type":"text","text":' + _encode(said) + control + b"}]}"


def _cuts(found: Sequence[Slice], gone: AbstractSet[int]) -> Iterator[Patch]:
    """Each element that goes, with the comma on that side where another stays."""
    last = max(number for number in range(len(found)) if number not in gone)
    for number in sorted(gone):
        if number < last:
            yield Patch(Slice(found[number].start, found[number + 1].start), b"")
        else:
            yield Patch(Slice(found[number - 1].end, found[number].end), b"")


def _first(values: Sequence[str], wanted: str) -> int:
    return values.index(wanted) if wanted in values else len(values)


def _control(ttl: str) -> bytes:
    return b'{"type":"ephemeral"}' if ttl == "5m" else b'{"type":"ephemeral","ttl":' + _encode(ttl) + b"}"
