"""What strategies get to know of a call's conversation, and what came of their edits.

Nothing of this runs where no strategy could edit a call.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import xxhash

from underspend.core.call import Call, Section
from underspend.core.conversation import Conversation, Kept, name_of
from underspend.core.edits import ReplaceContent, ShortenContent
from underspend.core.engine import Step, made_again
from underspend.core.plan import Plan
from underspend.core.strategy import State
from underspend.formats.anthropic_blocks import Anatomist, Anatomy
from underspend.formats.anthropic_request import MessagesRequest
from underspend.gateway.worlds import Effect, Ended, Worlds
from underspend.pricing.catalogue import Catalogue

_CONVERSATIONS = 2_000


@dataclass(slots=True)
class _Past:
    calls: int = 0
    last: int | None = None
    kept: dict[bytes, Kept] = field(default_factory=dict)


class Acting:
    """Conversations and worlds of one gateway, in memory. After a restart what was kept is no longer known."""

    def __init__(self, steps: Iterable[Step], prices: Catalogue) -> None:
        self._steps = tuple(step for step in steps if step.strategy.edits)
        on = [step.strategy.name for step in self._steps if step.state is State.ON]
        self._anatomist = Anatomist()
        self._worlds = Worlds(on, prices)
        self._pasts: OrderedDict[str, _Past] = OrderedDict()

    def anatomy(self, message: MessagesRequest) -> Anatomy:
        """The blocks of a request."""
        return self._anatomist.anatomy(tools=message.tools, system=message.system, messages=message.messages)

    def conversation(self, call: Call) -> Conversation:
        """What is known of a call's conversation before it."""
        key = key_of(call)
        past = self._past(key)
        known = Conversation(
            calls=past.calls, idle=None if past.last is None else call.time - past.last, kept=dict(past.kept)
        )
        again, _ = made_again(call, self._steps, known)
        warm, until = self._worlds.warm(key, again, call.time)
        return replace(known, warm_tokens=warm, cold_at=until)

    def settle(self, plan: Plan, ended: Ended) -> tuple[Effect, ...]:
        """Take in how a call ended: what strategies saved on it, and what is to be done again."""
        key = key_of(plan.asked)
        past = self._past(key)
        past.calls, past.last = past.calls + 1, plan.asked.time
        for decision in plan.decisions:
            edit = decision.edit
            if decision.applied and not decision.again and isinstance(edit, ReplaceContent | ShortenContent):
                past.kept[name_of(plan.asked.blocks[edit.at])] = Kept(decision.strategy, edit)
        return self._worlds.settle(key, plan, ended)

    def _past(self, key: str) -> _Past:
        found = self._pasts.get(key)
        if found is None:
            found = self._pasts[key] = _Past()
            if len(self._pasts) > _CONVERSATIONS:
                self._pasts.popitem(last=False)
        self._pasts.move_to_end(key)
        return found


def key_of(call: Call) -> str:
    """A conversation's name: its session and agent, else what it begins with."""
    identity = call.identity
    if identity.session is not None:
        return f"{identity.session} {identity.agent or identity.role}"
    first = next((block for block in call.blocks if block.section is Section.MESSAGES), None)
    begin = b"".join(block.digest for block in call.blocks if block.section is not Section.MESSAGES)
    return xxhash.xxh3_128_hexdigest(begin + (first.digest if first is not None else b"") + str(identity.key).encode())
