"""What must change in a Messages request when its model changes, and whether a refusal was of our making.

A request is written for one model. Another may refuse its kind of thinking, its effort, its limit. What can be said
otherwise is said otherwise, in the bytes where it stands; what cannot makes the model no candidate. Sources of what a
model refuses stand in `pricing/data/capabilities`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from underspend.formats.json_slices import Patch, Slice, elements, members, trimmed
from underspend.formats.lenient import Json, count, decode, items, obj, text
from underspend.pricing.capabilities import Capabilities, capabilities, thinking_budgets

_encode = msgspec.json.encode
_QUIET = ("disabled", "between_tools")
_THINKS = ("adaptive", "enabled")
_STANDARD = {"temperature": 1, "top_p": 1, "top_k": None}
_ROOM = (3, 4)
"""Of a reply's limit thinking may have at most so much, where we set its budget."""


@dataclass(slots=True)
class Adapted:
    """New bytes for the pieces that change, the numbers of messages to leave out, and in words what was done."""

    patches: list[Patch] = field(default_factory=list)
    left_out: set[int] = field(default_factory=set)
    changed: list[str] = field(default_factory=list)


def adapt(
    raw: bytes | Written,
    target: Capabilities,
    *,
    source: Capabilities | None = None,
    effort: str | None = None,
    limit: int | None = None,
) -> Adapted:
    """What makes a body written for `source` one that `target` takes; the model's own name is left to the caller.

    `effort` and `limit` are those to be asked for; None means those in the body. Raises ValueError for what cannot be
    adapted (see `obstacles`).
    """
    request = raw if isinstance(raw, Written) else Written(raw)
    problems = request.obstacles(target)
    if problems:
        raise ValueError(f"{target.id} does not take it: {'; '.join(problems)}")
    asked = limit if limit is not None else count(request.get("max_tokens"))
    wish = _Wish(
        target=target,
        source=source,
        effort=effort or text(obj(request.get("output_config")).get("effort")),
        limit=min(asked, target.max_output) if target.max_output else asked,
        is_forced=_is_forced(request),
    )
    made = Adapted()
    _settings(request, wish, made)
    _messages(request, target, made)
    return made


def obstacles(raw: bytes | Written, model: str, provider: str = "anthropic") -> tuple[str, ...]:
    """Why a body cannot be sent to a model, in words; () where it can, adapted. Raises ValueError for no body."""
    target = capabilities(model, provider)
    if target is None:
        return (f"nothing is known of what {model} takes",)
    return (raw if isinstance(raw, Written) else Written(raw)).obstacles(target)


class Written:
    """A body as it is written: its top-level members, each decoded when asked for. Raises ValueError for no object.

    What it has that stands in a model's way is found once for each, so that it may be asked for again and again.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.whole = trimmed(raw)
        self.top = members(raw, self.whole)
        self._messages: list[Slice] | None = None
        self._last_role: str | None = None
        self._obstacles: dict[str, tuple[str, ...]] = {}

    def get(self, name: str) -> Any:
        """A member's value; None where there is none."""
        where = self.top.get(name)
        return None if where is None else decode(self.raw[where.start : where.end])

    def messages(self) -> list[Slice]:
        """Where each message stands."""
        if self._messages is None:
            where = self.top.get("messages")
            self._messages = [] if where is None else elements(self.raw, where)
        return self._messages

    def last_role(self) -> str | None:
        """Whose the last message is."""
        if self._last_role is None and self.messages():
            self._last_role = _role(self, self.messages()[-1])
        return self._last_role

    def obstacles(self, target: Capabilities) -> tuple[str, ...]:
        """Why it cannot be sent to a model, in words; () where it can, adapted."""
        if target.id not in self._obstacles:
            self._obstacles[target.id] = tuple(_obstacles(self, target))
        return self._obstacles[target.id]

    def text_of(self, at: Slice) -> bytes:
        """The bytes of a slice."""
        return self.raw[at.start : at.end]


def _obstacles(request: Written, target: Capabilities) -> Iterator[str]:
    if not target.forced_tools and _is_forced(request):
        yield "it demands a tool"
    if not target.us_only and request.get("inference_geo") not in {None, "global"}:
        yield "it asks for a place"
    tools = request.top.get("tools")
    if (
        target.refused_tools
        and tools is not None
        and any(name.encode() in request.text_of(tools) for name in target.refused_tools)
    ):
        refused = [
            kind for tool in items(request.get("tools")) if (kind := text(tool.get("type"))) in target.refused_tools
        ]
        yield from (f"it has the tool {kind}" for kind in refused)
    where = request.messages()
    if where and not target.prefill and request.last_role() == "assistant":
        yield "it ends with the model's own words"
    if not (target.system_messages and target.system_tools):
        yield from _untold(request, where, target)


def _untold(request: Written, where: Sequence[Slice], target: Capabilities) -> Iterator[str]:
    """System messages within the conversation that cannot be the user's instead."""
    for number, at in _system_messages(request, where):
        content = obj(decode(request.text_of(at))).get("content")
        kinds = {text(part.get("type")) for part in items(content)}
        if kinds - {"text"}:
            yield f"message {number} changes its tools"
        following = where[number + 1] if number + 1 < len(where) else None
        if not target.system_messages and content and following is not None and _begins_with_result(request, following):
            yield f"message {number} stands before a tool's result"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What shall be asked of whom: the effort as it was wished for, the reply's limit as it can be."""

    target: Capabilities
    source: Capabilities | None
    effort: str | None
    limit: int
    is_forced: bool


def _settings(request: Written, wish: _Wish, made: Adapted) -> None:
    target, given = wish.target, request.get("thinking")
    effort = target.effort_for(wish.effort)
    thinking = _thinking(obj(given) if given is not None else None, wish)
    if thinking is not None and thinking.get("type") in _QUIET and not target.is_quiet_at(effort):
        effort = target.quiet_up_to
    put = _Put(request, made)
    if thinking != given:
        put.member("thinking", thinking)
    put.effort(effort)
    if wish.limit != count(request.get("max_tokens")):
        put.member("max_tokens", wish.limit)
    put.context_edits(target, is_thinking=_is_thinking(thinking, target))
    takes_sampling = target.sampling and (thinking is None or thinking.get("type") != "enabled")
    for name, standard in _STANDARD.items():
        value = request.get(name)
        if value is not None and value != standard and not takes_sampling:
            put.member(name, None)
    if request.get("speed") is not None and not target.fast:
        put.member("speed", None)
    put.done()


def _thinking(given: Json | None, wish: _Wish) -> Json | None:
    """The thinking to ask the target for; None to say nothing of it."""
    target, source = wish.target, wish.source
    if given is None:
        if source is None or source.thinking_default == target.thinking_default:
            return None
        given = {"type": source.thinking_default}
    kind = text(given.get("type")) or ""
    if kind in target.thinking or kind not in {*_QUIET, *_THINKS}:
        is_too_much = kind == "enabled" and count(given.get("budget_tokens")) >= wish.limit
        return _budgeted(wish) if is_too_much else _known_to(target, given)
    if kind in _QUIET:
        return next(({"type": each} for each in _QUIET if each in target.thinking), None)
    if kind == "adaptive":
        return {"type": "disabled"} if wish.is_forced else _budgeted(wish)
    plain = {key: value for key, value in given.items() if key != "budget_tokens"}
    return _known_to(target, plain | {"type": "adaptive"})


def _budgeted(wish: _Wish) -> Json:
    """A thinking budget that leaves room for the reply; none where the limit leaves no room for thinking."""
    budgets = thinking_budgets()
    wanted = budgets.get(wish.effort or wish.target.effort_default, budgets["high"])
    budget = min(wanted, wish.limit * _ROOM[0] // _ROOM[1])
    if budget < budgets["least"]:
        return {"type": "disabled"}
    return {"type": "enabled", "budget_tokens": budget}


def _known_to(target: Capabilities, thinking: Json) -> Json:
    """Without what the target does not know beside the type."""
    made = dict(thinking)
    if "display" in made and made["display"] not in target.displays:
        del made["display"]
    if "block_binding" in made and not target.binds_thinking:
        del made["block_binding"]
    return made


def _is_thinking(thinking: Json | None, target: Capabilities) -> bool:
    kind = text(thinking.get("type")) if thinking is not None else target.thinking_default
    return kind not in _QUIET


class _Put:
    """Collects new members of a body."""

    def __init__(self, request: Written, made: Adapted) -> None:
        self._request, self._made = request, made
        self._gone: set[str] = set()

    def member(self, name: str, value: object) -> None:
        """Another value of a member; None leaves it out."""
        where = self._request.top.get(name)
        if value is None:
            if where is not None:
                self._gone.add(name)
                self._made.changed.append(f"{name} left out")
            return
        self._made.changed.append(f"{name} set to {_encode(value).decode()}")
        if where is not None:
            self._made.patches.append(Patch(where, _encode(value)))
        else:
            self._add(self._request.whole, name, value)

    def effort(self, effort: str | None) -> None:
        """The effort to ask for; what else stands beside it stays."""
        where = self._request.top.get("output_config")
        was = text(obj(self._request.get("output_config")).get("effort"))
        if effort == was:
            return
        if where is None:
            self.member("output_config", {"effort": effort})
            return
        inner = members(self._request.raw, where)
        self._made.changed.append(f"effort set to {effort}" if effort else "effort left out")
        if effort is None and set(inner) == {"effort"}:
            self._gone.add("output_config")
        elif effort is None:
            self._made.patches += without(self._request.raw, where, {"effort"})
        elif "effort" in inner:
            self._made.patches.append(Patch(inner["effort"], _encode(effort)))
        else:
            self._add(where, "effort", effort)

    def context_edits(self, target: Capabilities, *, is_thinking: bool) -> None:
        """The edits of the context that the target knows, and those of thinking only where there is any."""
        managed = obj(self._request.get("context_management"))
        edits = managed.get("edits")
        if not isinstance(edits, list):
            return
        kept = [each for each in edits if _knows(target, text(obj(each).get("type")) or "", is_thinking=is_thinking)]
        if kept != edits:
            self.member("context_management", managed | {"edits": kept} if kept else None)

    def done(self) -> None:
        """What is left out goes last, all together."""
        if self._gone:
            self._made.patches += without(self._request.raw, self._request.whole, self._gone)

    def _add(self, whole: Slice, name: str, value: object) -> None:
        comma = b"," if members(self._request.raw, whole) else b""
        new = comma + _encode(name) + b":" + _encode(value)
        self._made.patches.append(Patch(Slice(whole.end - 1, whole.end - 1), new))


def _knows(target: Capabilities, kind: str, *, is_thinking: bool) -> bool:
    return kind in target.context_edits and (is_thinking or not kind.startswith("clear_thinking"))


def without(raw: bytes, whole: Slice, names: set[str]) -> list[Patch]:
    """The patches that leave members out of an object, each with the comma that parted it from its neighbour."""
    found = members(raw, whole)
    patches, end, has_kept, wants_no_comma = list[Patch](), whole.start + 1, False, False
    for name, value in found.items():
        if name in names:
            patches.append(Patch(Slice(end, value.end), b""))
            wants_no_comma = wants_no_comma or not has_kept
        else:
            if wants_no_comma and not has_kept:
                comma = raw.index(b",", end)
                patches.append(Patch(Slice(comma, comma + 1), b""))
            has_kept = True
        end = value.end
    return patches


def _messages(request: Written, target: Capabilities, made: Adapted) -> None:
    """System messages in the midst are the user's, without an effort, where the target knows no such thing."""
    if target.system_messages and target.message_effort:
        return
    for number, at in _system_messages(request, request.messages()):
        inner = members(request.raw, at)
        content = inner.get("content")
        if not target.system_messages and (content is None or not decode(request.text_of(content))):
            made.left_out.add(number)
        else:
            if not target.system_messages:
                made.patches.append(Patch(inner["role"], b'"user"'))
            if "output_config" in inner:
                made.patches += without(request.raw, at, {"output_config"})
        made.changed.append(f"message {number} is not the system's")


def _system_messages(request: Written, where: Sequence[Slice]) -> Iterator[tuple[int, Slice]]:
    for number, at in enumerate(where):
        if b'"system"' in request.text_of(at) and _role(request, at) == "system":
            yield number, at


def _role(request: Written, at: Slice) -> str | None:
    role = members(request.raw, at).get("role") if request.raw.startswith(b"{", at.start) else None
    return None if role is None else text(decode(request.text_of(role)))


def _begins_with_result(request: Written, at: Slice) -> bool:
    content = items(obj(decode(request.text_of(at))).get("content"))
    return bool(content) and content[0].get("type") == "tool_result"


def _is_forced(request: Written) -> bool:
    return obj(request.get("tool_choice")).get("type") in {"any", "tool"}


_TOO_LONG = re.compile(r"prompt is too long: (\d+) tokens > (\d+) maximum")
_OURS = re.compile(
    r"thinking|budget_tokens|effort|output_config|max_tokens|context_management|clear_thinking|temperature|top_p|top_k"
    r"|role ['\"]?system|\.role\b|prefill|tool_choice|anthropic-beta|beta header|speed|fast mode|inference_geo"
    r"|not support|unsupported|not available|^model: ",
    re.IGNORECASE,
)


def refused_for_us(status: int, body: bytes, *, asked: str, sent: str) -> str | None:
    """Upstream's words where it refused a request because it was for `sent` and not for `asked`; None where it did not.

    Such a request is sent once more as the client wrote it. A prompt that is too long for the model asked for as well,
    or a mistake that any model would refuse (a tool's result without its use), is the client's own to hear of.
    """
    if asked == sent or status not in {400, 404}:
        return None
    try:
        said = text(obj(obj(decode(body)).get("error")).get("message"))
    except msgspec.DecodeError:
        return None
    if said is None:
        return None
    long = _TOO_LONG.search(said)
    if long is not None:
        known = capabilities(asked)
        return said if known is not None and known.context is not None and int(long[1]) <= known.context else None
    return said if status == 404 or _OURS.search(said) or sent in said else None  # noqa: PLR2004  # HTTP's own number
