"""A request body → the prompt the cache sees.

Two notations of the same content give the same prompt: a string and a list of one text block, envelope keys in any
order, with or without breakpoints. The keys of tool inputs and schemas keep their order, which is content. Rules: the
provider's prompt-caching, tool-search and extended-thinking pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from underspend.core.call import THINKING, Section
from underspend.formats.anthropic_blocks import plain
from underspend.formats.lenient import Json, items, obj, text
from underspend.promptcache import Facts, Piece, Prompt, Settings, build, facts
from underspend.tokens.estimate import tokens_in

Measure = Callable[[Json], int]
"""Tokens of a block without its breakpoint; tool definitions are blocks too."""

_encode = msgspec.json.encode
_IMAGE_TOKENS = 1_568


def estimated(block: Json) -> int:
    """The tokens of a block by its size, images at the provider's usual cap: no tokenizer is public."""
    pictures = [part for part in _inside(block) if _is_image(part)]
    written = len(_encode(block)) - sum(len(_encode(part)) for part in pictures)
    return max(1, tokens_in(max(written, 0)) + len(pictures) * _IMAGE_TOKENS)


def prompt_of(
    body: Json, *, model: str | None = None, minimum: int = 0, scope: str = "", measure: Measure = estimated
) -> Prompt:
    """The prompt of a Messages API body. `model` is its listed id where the body's is a spelling of it.

    Raises InvalidPromptError where the provider would refuse its breakpoints.
    """
    name = model or text(body.get("model")) or ""
    known = facts(name)
    control = body.get("cache_control")
    return build(
        _pieces(body, known, measure),
        _settings(body, name, scope, known),
        minimum=minimum,
        automatic=_lifetime(control),
    )


def _settings(body: Json, model: str, scope: str, known: Facts) -> Settings:
    choice, thinking = obj(body.get("tool_choice")), obj(body.get("thinking"))
    parts = [part for message in items(body.get("messages")) for block in _blocks(message) for part in _inside(block)]
    kind = text(thinking.get("type")) or known.thinking
    return Settings(
        model=model,
        scope=scope,
        speed="standard" if known.ignores_speed else text(body.get("speed")) or "standard",
        citations=any(obj(part.get("citations")).get("enabled") for part in parts),
        tool_choice=f"{text(choice.get('type')) or 'auto'} {choice.get('name') or ''}",
        parallel_tools=not choice.get("disable_parallel_tool_use"),
        images=any(map(_is_image, parts)),
        thinking=f"{kind} {thinking.get('budget_tokens') or ''}",
        effort=text(obj(body.get("output_config")).get("effort")) or known.effort,
    )


def _pieces(body: Json, known: Facts, measure: Measure) -> Iterator[Piece]:
    tools = items(body.get("tools"))
    deferred = {text(tool.get("name")) or "": tool for tool in tools if tool.get("defer_loading")}
    offered = [tool for tool in tools if not tool.get("defer_loading")]
    # Turning web search on or off leaves cached tools alone, so its definition stands with the system prompt.
    for section, is_search in ((Section.TOOLS, False), (Section.SYSTEM, True)):
        for tool in offered:
            if (text(tool.get("type")) or "").startswith("web_search") is is_search:
                yield _piece(section, "tool", {**tool, "defer_loading": None}, measure)
    for block in _blocks({"content": body.get("system")}):
        yield _piece(Section.SYSTEM, "system", block, measure)
    yield from _messages(items(body.get("messages")), deferred, known, measure)


def _messages(messages: list[Json], deferred: Mapping[str, Json], known: Facts, measure: Measure) -> Iterator[Piece]:
    finished = _begin_of_turn(messages) if known.strips_thinking else 0
    beside = b""
    for number, message in enumerate(messages):
        role = text(message.get("role")) or "user"
        # What a message holds beside its content (an effort of its own) stands before its blocks.
        others = sorted((key, value) for key, value in message.items() if key not in {"role", "content"})
        beside += _encode(others) if others else b""
        for block in _blocks(message):
            if number < finished and block.get("type") in THINKING:
                continue
            yield _piece(Section.MESSAGES, role, block, measure, beside=beside, loaded=_loaded(block, deferred))
            beside = b""


def _begin_of_turn(messages: list[Json]) -> int:
    """The last message that a person wrote: thinking before it belongs to finished turns."""
    for number in reversed(range(len(messages))):
        kinds = {block.get("type") for block in _blocks(messages[number])}
        if messages[number].get("role") == "user" and kinds - {"tool_result"}:
            return number
    return 0


def _loaded(block: Json, deferred: Mapping[str, Json]) -> list[Json]:
    """The definitions of deferred tools that a search result brings in: they stand there."""
    if not deferred or block.get("type") != "tool_result":
        return []
    parts = (part for part in items(block.get("content")) if part.get("type") == "tool_reference")
    named = (text(part.get("tool_name")) for part in parts)
    return [deferred[name] for name in named if name is not None and name in deferred]


def _piece(  # noqa: PLR0913  # what stands in a piece, each by name
    section: Section, role: str, block: Json, measure: Measure, *, beside: bytes = b"", loaded: Iterable[Json] = ()
) -> Piece:
    bare = plain(block)
    extra = [plain(tool) for tool in loaded]
    kind = block.get("type")
    return Piece(
        section=section,
        identity=b"\0".join([role.encode(), beside, *map(_encode, [bare, *extra])]),
        tokens=measure(bare) + sum(map(measure, extra)),
        ttl=_lifetime(block.get("cache_control")) or next(filter(None, map(_inner_lifetime, _inside(block)[1:])), None),
        cacheable=kind not in THINKING and not (kind == "text" and not block.get("text")),
    )


def _blocks(message: Json) -> list[Json]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return items(content)


def _inside(block: Json) -> list[Json]:
    """The block and, of a tool's result, what it holds."""
    return [block, *_blocks(block)] if block.get("type") == "tool_result" else [block]


def _inner_lifetime(part: Json) -> str | None:
    return _lifetime(part.get("cache_control"))


def _lifetime(control: Any) -> str | None:
    asked = obj(control)
    return (text(asked.get("ttl")) or "5m") if asked else None


def _is_image(part: Json) -> bool:
    return part.get("type") == "image"
