"""One step of a conversation as far as loops are concerned: which tools were used on what, and what they said."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from underspend.core.call import Block, Call, Section, Verb
from underspend.core.evidence import Evidence
from underspend.core.money import Money
from underspend.core.reply import Outcome, Reply

_RESULT = " result"


class Use(NamedTuple):
    """One use of a tool and its result. `what` and `says` are digests; equal ones mean the same input and result.

    For an edit `what` is the file alone, so equal edits cannot be told from different ones.
    """

    tool: str
    verb: Verb
    what: bytes
    says: bytes
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A call that was answered, what its prompt's last results show, and what it cost.

    `uses` are those the reply before it asked for. `turn` is equal within the tool loop of one typed prompt, `prompt`
    a digest of the whole prompt (empty where it is not known). `at` is in microseconds since the epoch.
    """

    at: int
    session: str | None
    agent: str | None = None
    key: str | None = None
    turn: str | None = None
    uses: tuple[Use, ...] = ()
    prompt: bytes = b""
    cost: Money = 0
    evidence: Evidence = Evidence.BILLED


def step_of(call: Call, *, cost: Money = 0, evidence: Evidence = Evidence.BILLED) -> Step:
    """The step of an answered call, from its blocks. A call without blocks has no uses and no prompt."""
    identity = call.identity
    return Step(
        at=call.time,
        session=identity.session,
        agent=identity.agent,
        key=identity.key,
        turn=identity.turn,
        uses=uses_of(call.blocks),
        prompt=prompt_of(call),
        cost=cost,
        evidence=evidence,
    )


def step_after(call: Call, reply: Reply) -> Step:
    """The step of a call as it was asked, whose reply has ended: one that was not answered shows its cost alone."""
    made = step_of(call, cost=reply.bill.total, evidence=reply.bill.evidence)
    return made if reply.outcome is Outcome.OK else replace(made, uses=(), prompt=b"")


def uses_of(blocks: Sequence[Block]) -> tuple[Use, ...]:
    """The uses whose results stand behind the last reply of the model, in their order."""
    found: list[Use] = []
    for block in reversed(blocks):
        if block.section is not Section.MESSAGES or block.role == "assistant":
            break
        if block.kind.endswith("tool_result"):
            found.append(_use(block))
    return tuple(reversed(found))


def _use(block: Block) -> Use:
    first, count = block.span
    what = (block.subject or b"") + (f"{first},{count}".encode() if block.span != (0, 0) else b"")
    return Use(
        tool=block.label.removesuffix(_RESULT),
        verb=block.verb or Verb.OTHER,
        what=what,
        says=block.says or block.digest,
        failed=block.is_error,
    )


def prompt_of(call: Call) -> bytes:
    """A digest of a whole prompt and of what else is asked: equal for equal calls. Empty without blocks."""
    if not call.blocks:
        return b""
    asked = f"{call.model}|{call.endpoint}|{call.max_output}|{call.effort}|".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(asked + b"".join(block.digest for block in call.blocks), digest_size=16).digest()
