"""What each edit does to a Call. The wire formats do the same to the bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import assert_never

from underspend.core.call import Block, Call, Section
from underspend.core.edits import (
    ContentEdit,
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


def apply(edit: Edit, call: Call) -> Call:
    """The call after one edit. Raises IndexError for a block that is not there."""
    match edit:
        case SetModel() | SetMaxOutput() | SetEffort():
            return _set(edit, call)
        case SetBreakpoint(at=at, ttl=ttl):
            return _with_block(call, at, replace(call.blocks[at], breakpoint=ttl))
        case ReplaceContent(at=at) | ShortenContent(at=at):
            return _with_block(call, at, _made_over(call.blocks[at], edit))
        case DropMessages(first=first, last=last):
            return _without(call, first, last)
        case ReplaceMessages():
            return _with_message(call, edit)
        case Warn() | Refuse():
            return call
        case _:
            assert_never(edit)


def as_priced(edit: Edit, call: Call) -> Call:
    """The call after an edit that is not made, for its price alone: the blocks stay as they are where none is left out.

    Raises IndexError as `apply` does.
    """
    match edit:
        case SetBreakpoint():
            return call
        case ReplaceContent(at=at, tokens=tokens) | ShortenContent(at=at, tokens=tokens):
            return replace(call, prompt_tokens=max(0, call.prompt_tokens + tokens - call.blocks[at].tokens))
        case _:
            return apply(edit, call)


def _set(edit: SetModel | SetMaxOutput | SetEffort, call: Call) -> Call:
    match edit:
        case SetModel(model=model, provider=provider):
            return replace(call, model=model, provider=provider or call.provider)
        case SetMaxOutput(tokens=tokens):
            return replace(call, max_output=tokens)
        case SetEffort(effort=effort):
            return replace(call, effort=effort)


def apply_all(edits: Sequence[ContentEdit], call: Call) -> Call:
    """The call after edits of its blocks' content, as if each was applied alone. Raises IndexError as `apply` does."""
    blocks, difference = list(call.blocks), 0
    for edit in edits:
        block = _made_over(blocks[edit.at], edit)
        difference += block.tokens - blocks[edit.at].tokens
        blocks[edit.at] = block
    return replace(call, blocks=tuple(blocks), prompt_tokens=max(0, call.prompt_tokens + difference))


def _with_block(call: Call, at: int, block: Block) -> Call:
    blocks = list(call.blocks)
    difference = block.tokens - blocks[at].tokens
    blocks[at] = block
    return replace(call, blocks=tuple(blocks), prompt_tokens=max(0, call.prompt_tokens + difference))


def _made_over(block: Block, edit: ContentEdit) -> Block:
    """The block with other content. What is replaced leaves nothing behind: the digest then follows from the new text.

    A shortened block's digest follows from its old one, so that the same shortening of the same block is the same.
    """
    if isinstance(edit, ReplaceContent):
        said = blake2b(edit.text.encode(), digest_size=16).digest()
        digest = blake2b((block.ref or "").encode(), key=said, digest_size=16).digest()
    else:
        how = f"shortened {edit.head} {edit.tail} {' '.join(edit.words)}".encode()
        said = blake2b(how, key=block.says or block.digest, digest_size=16).digest()
        digest = blake2b(how, key=block.digest, digest_size=16).digest()
    return replace(block, digest=digest, says=said, tokens=edit.tokens, edited=True)


def _without(call: Call, first: int, last: int) -> Call:
    kept = [
        block for block in call.blocks if block.section is not Section.MESSAGES or not first <= block.message <= last
    ]
    left_out = sum(block.tokens for block in call.blocks) - sum(block.tokens for block in kept)
    return replace(call, blocks=tuple(kept), prompt_tokens=max(0, call.prompt_tokens - left_out))


def _with_message(call: Call, edit: ReplaceMessages) -> Call:
    """The call with one text of the model's where the messages stood; as it is where none of them is there."""
    at = next((n for n, block in enumerate(call.blocks) if edit.first <= block.message <= edit.last), None)
    if at is None:
        return call
    said = edit.text.encode()
    text = Block(
        section=Section.MESSAGES,
        kind="text",
        label="summary",
        digest=blake2b(said, digest_size=16).digest(),
        size=len(said),
        tokens=edit.tokens,
        message=edit.first,
        role="assistant",
        edited=True,
    )
    left = _without(call, edit.first, edit.last)
    blocks = (*left.blocks[:at], text, *left.blocks[at:])
    return replace(left, blocks=blocks, prompt_tokens=left.prompt_tokens + edit.tokens)
