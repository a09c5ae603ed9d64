"""Which calls are taken apart before they are sent: those that something could be done to, told by a glance."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from underspend.core.call import Call, Role
from underspend.core.glance import Glance
from underspend.core.ports import Pricing
from underspend.core.strategy import State
from underspend.formats.anthropic_request import MessagesRequest
from underspend.gateway.acting import Acting
from underspend.gateway.states import States

_MARK, _HOUR = b'"cache_control"', b'"1h"'
_MODEL_SPEAKS, _A_BLOCK = b'"assistant"', b'"type"'
_PLAIN_TEXTS = 2


class Following:
    """Looks at calls for `States`. `routes` is whether the router may act at all where it is on.

    `kept` are the conversations of which an earlier gateway kept edits: these are made again, whoever is on.
    """

    def __init__(
        self, states: States, acting: Acting, pricing: Pricing, *, routes: bool = False, kept: AbstractSet[str] = frozenset()
    ) -> None:
        self._states, self._acting, self._pricing, self._routes = states, acting, pricing, routes
        self._kept = frozenset(kept)
        self._kept_without_session = any(" " not in name for name in kept)

    def wants(self, call: Call, message: MessagesRequest) -> bool:
        """Whether a call, which has no blocks yet, is to be taken apart before it is sent."""
        case = self._states.of(call.identity)
        if self._routes and case.router is State.ON and not case.is_left_alone:
            return True
        begins = _MODEL_SPEAKS not in message.messages
        if not begins and self._is_edited(call):
            return True
        if not case.acting or call.endpoint != "messages" or call.identity.role is Role.SIDE:
            return False
        glance = self._glance(call, message, begins=begins)
        return any(strategy.may_act_on(glance) for strategy in case.acting)

    def _is_edited(self, call: Call) -> bool:
        """Whether an earlier call of its conversation was edited, or sent to another model."""
        name = self._acting.name_of(call)
        if name is None:
            return self._kept_without_session or self._acting.has_edited_without_session
        return name in self._kept or self._acting.is_edited(name)

    def _glance(self, call: Call, message: MessagesRequest, *, begins: bool) -> Glance:
        name = self._acting.name_of(call)
        seen = self._acting.seen(name, call.time, begins=begins) if name is not None else None
        front = next((part for part in (message.system, message.tools) if _MARK in part), None)
        has_breakpoints = front is not None or _MARK in message.messages
        return Glance(
            call=call,
            pricing=self._pricing,
            begins=begins,
            has_breakpoints=has_breakpoints,
            # One for an hour never stands behind one for five minutes.
            asks_for_an_hour=has_breakpoints and _HOUR in (front if front is not None else message.messages),
            came_in=_came_in(message.messages),
            calls=seen[0] if seen is not None else None,
            longest_pause=seen[1] if seen is not None else 0,
            long_tokens=seen[2] if seen is not None else 0,
            habits=self._acting.habits,
        )


def _came_in(messages: bytes) -> int:
    """The most blocks that can have come in with the last exchange: each says of what type it is, but for plain texts."""
    at = messages.rfind(_MODEL_SPEAKS)
    return messages.count(_A_BLOCK, max(at, 0)) + _PLAIN_TEXTS
