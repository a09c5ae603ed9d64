"""Conversations by hand, as strategies see them: 1,000 tokens of system prompt, then calls with one result each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from core.calls import FlatPrices, call, context
from underspend.core.call import Block, Call, Identity, Role, Section, Verb
from underspend.core.context import Context
from underspend.core.conversation import Conversation, Habits
from underspend.core.edits import Edit
from underspend.core.money import from_usd
from underspend.core.strategy import Strategy

MINUTE = 60_000_000
RICH = {"paid": from_usd(1000)}
"""A conversation that could bear anything."""


def block(kind: str = "text", tokens: int = 100, **more: Any) -> Block:
    base = {
        "section": Section.MESSAGES,
        "label": kind,
        "digest": f"{kind} {tokens} {more}".encode(),
        "size": tokens * 4,
    }
    return Block(kind=kind, tokens=tokens, **{**base, **more})


def read(subject: str = "a", tokens: int = 1000, **more: Any) -> dict[str, Any]:
    return {
        "verb": Verb.READ,
        "subject": subject.encode(),
        "tokens": tokens,
        "says": f"{subject} {tokens}".encode(),
        **more,
    }


def edit(subject: str = "a", **more: Any) -> dict[str, Any]:
    return {"verb": Verb.EDIT, "subject": subject.encode(), "tokens": 20, "says": b"done", **more}


def run(subject: str = "a", tokens: int = 1000, **more: Any) -> dict[str, Any]:
    return {
        "verb": Verb.RUN,
        "subject": subject.encode(),
        "tokens": tokens,
        "says": f"{subject} {tokens}".encode(),
        **more,
    }


def filler(calls: int) -> list[dict[str, Any]]:
    """So many calls that touch nothing else."""
    return [run(f"other {number}", 10) for number in range(calls)]


def talk(*results: dict[str, Any], marks: str | None = "5m", thinks: bool = False, **more: Any) -> Call:
    """The call that brings back the last of these results. A call adds 100 tokens of words and its result."""
    blocks = [block("text", 1000, section=Section.SYSTEM, label="system", breakpoint=marks)]
    blocks.append(block("text", 100, message=0, role="user"))
    for number, result in enumerate(results):
        at, ref = 2 * number + 1, f"t{number}"
        if thinks:
            blocks.append(block("thinking", 30, message=at, role="assistant"))
        blocks.append(block("tool_use", 100, message=at, role="assistant", ref=ref))
        last = marks if number == len(results) - 1 else None
        blocks.append(block("tool_result", message=at + 1, role="user", ref=ref, breakpoint=last, **result))
    size = sum(each.tokens for each in blocks)
    base = {"blocks": tuple(blocks), "prompt_tokens": size, "identity": Identity(role=Role.MAIN), "max_output": 8_000}
    return call(**{**base, **more})


def results(asked: Call) -> list[int]:
    """Where the results stand."""
    return [at for at, each in enumerate(asked.blocks) if each.kind == "tool_result"]


def known(*, prices: FlatPrices | None = None, habits: Habits | None = None, **more: Any) -> Context:
    """A context by what is known of the conversation; cold if nothing else is said."""
    return context(prices, conversation=Conversation(**more), habits=habits or Habits())


def warm(asked: Call, **more: Any) -> Context:
    """A context in which all but the last two blocks is cached, in the middle of a tool loop."""
    size = sum(each.tokens for each in asked.blocks[:-2])
    return known(**{"calls": len(results(asked)), "idle": MINUTE, "gaps": (MINUTE,), "warm_tokens": size, **more})


def decided(strategy: Strategy, asked: Call, ctx: Context) -> list[Edit]:
    return list(strategy.decide(asked, ctx))


def places(edits: Iterable[Edit]) -> list[int]:
    """The blocks that edits of blocks are about."""
    return [each.at for each in edits if hasattr(each, "at")]
