"""Which calls the router watches without a part in them: those with which a slot begins, a few in a second at most."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from underspend.core.call import Block, Call
from underspend.formats import task_asked
from underspend.formats.anthropic_blocks import Anatomist
from underspend.formats.anthropic_request import MessagesRequest
from underspend.gateway.acting import key_of
from underspend.gateway.asked import Asked
from underspend.routing.beliefs import Asked as Told
from underspend.routing.classes import class_of
from underspend.routing.decisions import Mode
from underspend.routing.features import features_of
from underspend.routing.reading import Reading, read
from underspend.strategies.auto_model import AutoModel

_SECOND = 1_000_000
_LOOKS_A_SECOND = 10
_MOST_SEEN = 20_000


class Shown:
    """What a request shows, read when first asked for; it holds its text, and so lives no longer than the call."""

    def __init__(self, message: MessagesRequest, call: Call) -> None:
        self._message, self._who = message, call.identity

    @cached_property
    def _read(self) -> tuple[Told, Reading]:
        asked = task_asked.of_messages(self._message, self._who)
        return asked, read(asked.text)

    @cached_property
    def task(self) -> str:
        """Its class."""
        return class_of(*self._read)

    @cached_property
    def features(self) -> tuple[int, ...]:
        """All else that is known of it."""
        return features_of(*self._read)


class Pace:
    """So many times a second at most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._until = self._left = 0

    def allows(self, now: int) -> bool:
        """Whether there is time for one more, which is then taken; `now` in µs."""
        if now >= self._until:
            self._until, self._left = now + _SECOND, self._most
        self._left -= 1
        return self._left >= 0


class Watching:
    """Which calls are watched: where a slot begins, and no more than a few in a second."""

    def __init__(self, strategy: AutoModel) -> None:
        self.strategy = replace(strategy, mode=Mode.OBSERVE if strategy.is_acting else strategy.mode)
        self.calls: OrderedDict[str, None] = OrderedDict()
        self._sessions: OrderedDict[str, None] = OrderedDict()
        self._anatomist = Anatomist()
        self.may_look = Pace(_LOOKS_A_SECOND).allows

    def key(self, asked: Asked) -> str:
        """The name of a call's slot; of one without a session its own id."""
        return key_of(asked.call) if asked.call.identity.session is not None else asked.call.id

    def blocks(self, asked: Asked) -> Sequence[Block]:
        """The blocks of a call that nobody took apart."""
        message = asked.message
        if message is None:
            return ()
        return self._anatomist.anatomy(tools=message.tools, system=message.system, messages=message.messages).blocks

    def look(self, asked: Asked, now: int) -> tuple[Call | None, str | None]:
        """The call with its blocks, class and features, and its slot's name, where it is to be watched."""
        call, message = asked.call, asked.message
        if message is None:
            return None, None
        key = self.key(asked)
        if call.identity.session is None:
            if b'"assistant"' in message.messages or not self.may_look(now):
                return None, None
            _note(self.calls, key)
        elif key in self._sessions or not self.may_look(now):
            return None, None
        else:
            _note(self._sessions, key)
        blocks = call.blocks or self.blocks(asked)
        shown = Shown(message, call)
        return replace(call, blocks=blocks, task=shown.task, features=shown.features), key


def _note(known: OrderedDict[str, None], key: str) -> None:
    known[key] = None
    if len(known) > _MOST_SEEN:
        known.popitem(last=False)
