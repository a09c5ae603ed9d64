"""What each edit does to a Call. The wire formats do the same to the bytes."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import assert_never

from underspend.core.call import Block, Call, Section
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


def apply(edit: Edit, call: Call) -> Call:
    """The call after one edit. Raises IndexError for a block that is not there."""
    match edit:
        case SetModel(model=model):
            return replace(call, model=model)
        case SetBreakpoint(at=at, ttl=ttl):
            return _with_block(call, at, replace(call.blocks[at], breakpoint=ttl))
        case ReplaceContent(at=at, text=text, tokens=tokens):
            return _with_block(call, at, _made_over(call.blocks[at], f"replaced {text}", tokens))
        case ShortenContent(at=at, head=head, tail=tail, tokens=tokens):
            return _with_block(call, at, _made_over(call.blocks[at], f"shortened {head} {tail}", tokens))
        case DropMessages(first=first, last=last):
            return _without(call, first, last)
        case SetMaxOutput(tokens=tokens):
            return replace(call, max_output=tokens)
        case SetEffort(effort=effort):
            return replace(call, effort=effort)
        case Warn() | Refuse():
            return call
        case _:
            assert_never(edit)


def _with_block(call: Call, at: int, block: Block) -> Call:
    blocks = list(call.blocks)
    difference = block.tokens - blocks[at].tokens
    blocks[at] = block
    return replace(call, blocks=tuple(blocks), prompt_tokens=max(0, call.prompt_tokens + difference))


def _made_over(block: Block, how: str, tokens: int) -> Block:
    """The block with other content: its digest follows from the old content and from what was done to it."""
    digest = blake2b(how.encode(), key=block.digest, digest_size=16).digest()
    return replace(block, digest=digest, tokens=tokens, edited=True)


def _without(call: Call, first: int, last: int) -> Call:
    kept = [
        block for block in call.blocks if block.section is not Section.MESSAGES or not first <= block.message <= last
    ]
    left_out = sum(block.tokens for block in call.blocks) - sum(block.tokens for block in kept)
    return replace(call, blocks=tuple(kept), prompt_tokens=max(0, call.prompt_tokens - left_out))
