"""A request's prompt as the provider sees it: one position per block, in cache order, with token counts.

Two spellings of the same content give the same position: a string and a one-text-block list, with or without
`cache_control`, envelope keys in any order. Tool inputs and schemas keep their key order, which is content.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from underspend.testing.fake_upstream import tokens
from underspend.testing.fake_upstream.api_error import invalid

TOOLS, SYSTEM, MESSAGES = "tools", "system", "messages"
THINKING = frozenset({"thinking", "redacted_thinking"})
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Position:
    """One block of the prompt. `ttl` is the breakpoint's lifetime (`5m`, `1h`) or None.

    `where` is the block's path in the request, for error messages. `cacheable` is False for blocks that cannot
    carry a breakpoint (thinking, empty text).
    """

    section: str
    identity: bytes
    tokens: int
    where: str
    ttl: str | None = None
    cacheable: bool = True


def positions(body: dict[str, Any], *, strips_thinking: bool = False) -> list[Position]:
    """Every block of the prompt in cache order: tools, system, messages.

    Deferred tools are left out until a `tool_reference` in a tool result names them: the definition then stands
    there. A web search tool stands at the head of the system section, because turning it
    on or off leaves cached tools alone. `strips_thinking` drops the thinking of finished turns, as older
    models do. Raises ApiError (400) for a breakpoint on a block that cannot carry one.
    """
    tools = _listed(body.get("tools"))
    return [
        *_tools(tools, search=False),
        *_tools(tools, search=True),
        *_system(body.get("system")),
        *_messages(_listed(body.get("messages")), _deferred(tools), strips_thinking=strips_thinking),
    ]


def system_salt(body: dict[str, Any], speed: str) -> bytes:
    """What invalidates system and messages but not tools when it changes: speed, citations on or off."""
    return _encode([speed, _any_block(body, _has_citations)])


def message_salt(body: dict[str, Any], *, default_effort: str, default_thinking: str) -> bytes:
    """What invalidates messages only: tool choice, images present, thinking configuration, effort."""
    choice = body.get("tool_choice") or {}
    thinking = body.get("thinking") or {}
    config = body.get("output_config") or {}
    return _encode(
        [
            [choice.get("type", "auto"), choice.get("name"), bool(choice.get("disable_parallel_tool_use"))],
            _any_block(body, _is_image),
            [thinking.get("type", default_thinking), thinking.get("budget_tokens")],
            config.get("effort") or default_effort,
        ]
    )


def with_automatic(found: list[Position], control: object) -> list[Position]:
    """The positions with the request's top-level `cache_control` put on the last block that can carry it.

    Raises ApiError (400) when that block asks for another lifetime.
    """
    ttl = _ttl(control, "cache_control")
    if ttl is None:
        return found
    for index in range(len(found) - 1, -1, -1):
        last = found[index]
        if not last.cacheable:
            continue
        if last.ttl is not None and last.ttl != ttl:
            raise invalid(
                f"cache_control: ttl '{ttl}' conflicts with the ttl '{last.ttl}' of the last block ({last.where})"
            )
        return [*found[:index], replace(last, ttl=ttl), *found[index + 1 :]]
    return found


def _listed(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _tools(tools: list[dict[str, Any]], *, search: bool) -> Iterator[Position]:
    for index, tool in enumerate(tools):
        if str(tool.get("type", "")).startswith("web_search") is not search:
            continue
        where = f"tools.{index}"
        if tool.get("defer_loading"):
            if tool.get("cache_control"):
                raise invalid(f"{where}: Tools with defer_loading=true cannot have cache_control set")
            continue
        section = SYSTEM if search else TOOLS
        yield _position(section, "tool", {k: v for k, v in tool.items() if k != "defer_loading"}, tool, where)


def _system(system: object) -> Iterator[Position]:
    for index, block in enumerate(_content(system)):
        yield _position(SYSTEM, "system", block, block, f"system.{index}")


def _deferred(tools: list[dict[str, Any]]) -> dict[str, bytes]:
    return {str(tool.get("name")): _canonical(tool)[0] for tool in tools if tool.get("defer_loading")}


def _with_definitions(position: Position, block: dict[str, Any], deferred: dict[str, bytes]) -> Position:
    inner = _listed(block.get("content"))
    named = [str(part.get("tool_name")) for part in inner if part.get("type") == "tool_reference"]
    found = b"".join(deferred.get(name, b"") for name in named)
    if not found:
        return position
    return replace(position, identity=position.identity + found, tokens=position.tokens + tokens.count(found))


def _messages(
    messages: list[dict[str, Any]], deferred: dict[str, bytes], *, strips_thinking: bool
) -> Iterator[Position]:
    finished = _last_typed(messages) if strips_thinking else -1
    extra = b""
    for number, message in enumerate(messages):
        extra += _encode([[k, message[k]] for k in sorted(message) if k not in {"role", "content"}])[1:-1]
        role = str(message.get("role", "user"))
        for index, block in enumerate(_content(message.get("content"))):
            if number < finished and block.get("type") in THINKING:
                continue
            position = _position(MESSAGES, role, block, block, f"messages.{number}.content.{index}")
            if deferred and block.get("type") == "tool_result":
                position = _with_definitions(position, block, deferred)
            yield replace(position, identity=position.identity + extra) if extra else position
            extra = b""


def _last_typed(messages: list[dict[str, Any]]) -> int:
    for number in range(len(messages) - 1, -1, -1):
        if messages[number].get("role") == "user" and any(
            block.get("type") != "tool_result" for block in _content(messages[number].get("content"))
        ):
            return number
    return -1


def _content(content: object) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return _listed(content)


def _position(section: str, role: str, block: dict[str, Any], raw: dict[str, Any], where: str) -> Position:
    kind = block.get("type")
    empty = kind == "text" and not block.get("text")
    ttl = _ttl(raw.get("cache_control"), f"{where}.cache_control") or _inner_ttl(block, where)
    if ttl is not None and kind in THINKING:
        raise invalid(f"{where}.{kind}.cache_control: Extra inputs are not permitted")
    if ttl is not None and empty:
        raise invalid(f"{where}.text: cache_control cannot be set for empty text blocks")
    canonical, pictures = _canonical(block)
    return Position(
        section=section,
        identity=role.encode() + b"\0" + canonical,
        tokens=_tokens(block, canonical, pictures),
        where=where,
        ttl=ttl,
        cacheable=kind not in THINKING and not empty,
    )


def _tokens(block: dict[str, Any], canonical: bytes, pictures: list[dict[str, Any]]) -> int:
    if not pictures:
        return tokens.count(canonical)
    weight = sum(tokens.image_tokens(picture) for picture in pictures)
    if block.get("type") == "image":
        return weight
    data = sum(len(_encode(picture)) for picture in pictures)
    return weight + tokens.count(canonical[: max(0, len(canonical) - data)])


def _canonical(block: dict[str, Any]) -> tuple[bytes, list[dict[str, Any]]]:
    pictures: list[dict[str, Any]] = []
    return _encode(_shape(block, pictures)), pictures


def _shape(block: dict[str, Any], pictures: list[dict[str, Any]]) -> dict[str, Any]:
    shaped = {key: block[key] for key in sorted(block) if key != "cache_control" and block[key] is not None}
    if _is_image(block):
        pictures.append(shaped)
    content = shaped.get("content")
    if block.get("type") == "tool_result" and content is not None:
        shaped["content"] = [_shape(inner, pictures) for inner in _content(content)]
    return shaped


def _inner_ttl(block: dict[str, Any], where: str) -> str | None:
    if block.get("type") != "tool_result" or not isinstance(block.get("content"), list):
        return None
    found = [_ttl(inner.get("cache_control"), where) for inner in _listed(block["content"])]
    return next((ttl for ttl in found if ttl is not None), None)


def _ttl(control: object, where: str) -> str | None:
    if control is None:
        return None
    if not isinstance(control, dict) or control.get("type") != "ephemeral":
        raise invalid(f"{where}: Input tag must be 'ephemeral'")
    ttl = control.get("ttl", "5m")
    if ttl not in ("5m", "1h"):
        raise invalid(f"{where}.ephemeral.ttl: Input should be '5m' or '1h'")
    return str(ttl)


def _any_block(body: dict[str, Any], holds: Any) -> bool:
    for message in _listed(body.get("messages")):
        for block in _content(message.get("content")):
            if holds(block):
                return True
            if block.get("type") == "tool_result" and any(map(holds, _content(block.get("content")))):
                return True
    return False


def _has_citations(block: dict[str, Any]) -> bool:
    citations = block.get("citations")
    return isinstance(citations, dict) and bool(citations.get("enabled"))


def _is_image(block: dict[str, Any]) -> bool:
    return block.get("type") == "image"
