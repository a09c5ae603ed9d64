"""Thinking blocks bound to the model and the prefix they were made with, as on the 5.1 models and later.

A bound block carries a signature that names its model and a digest of everything before it; a later request
that sends the block to another model, or under an edited history, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from underspend.testing.fake_upstream.api_error import invalid
from underspend.testing.fake_upstream.blocks import Position
from underspend.testing.fake_upstream.replies import UNSIGNED, Reply

_SIGNED = re.compile(rb'"signature":"fakebind\.([^."]+)\.([0-9a-f]+)"')
_ASSISTANT = b"assistant\0"


def signature(found: Sequence[Position], model: str) -> str:
    """The signature of thinking that `model` makes right after this prompt."""
    return f"fakebind.{model}.{_digests(found)[-1]}"


def sign(reply: Reply, made: str) -> Reply:
    """The reply with `made` on every thinking block that was scripted without a signature."""
    content = tuple(
        {**block, "signature": made} if block.get("signature") == UNSIGNED else block for block in reply.blocks()
    )
    return msgspec.structs.replace(reply, content=content)


def enforce(found: list[Position], body: dict[str, Any], model: str) -> list[Position]:
    """The positions whose bindings hold.

    A block that is bound elsewhere raises ApiError (400), or is left out when the request says
    `thinking.block_binding.prefix_mismatch_behavior: "drop_block"`. Blocks signed by others are not looked at.
    """
    binding = (body.get("thinking") or {}).get("block_binding") or {}
    drops = binding.get("prefix_mismatch_behavior") == "drop_block"
    kept, before = [], _digests(found)
    for index, position in enumerate(found):
        signed = _SIGNED.search(position.identity) if position.identity.startswith(_ASSISTANT) else None
        wanted = f"{model}.{before[_turn_start(found, index)]}"
        if signed is None or f"{signed[1].decode()}.{signed[2].decode()}" == wanted:
            kept.append(position)
        elif not drops:
            raise invalid(
                f"{position.where}: thinking block does not match the model or the conversation prefix it is bound to"
            )
    return kept


def _turn_start(found: Sequence[Position], index: int) -> int:
    while index > 0 and found[index - 1].identity.startswith(_ASSISTANT):
        index -= 1
    return index


def _digests(found: Sequence[Position]) -> list[str]:
    running = blake2b(digest_size=16)
    digests = [running.hexdigest()]
    for position in found:
        running.update(b"%d:" % len(position.identity))
        running.update(position.identity)
        digests.append(running.hexdigest())
    return digests
