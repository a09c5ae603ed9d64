"""Which calls are taken apart before they are sent: those that something could be done to, told by a glance."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from underspend.core.call import Call, Role
from underspend.core.conversation import Habits
from underspend.core.glance import Glance
from underspend.core.ports import Pricing
from underspend.core.strategy import State
from underspend.formats.anthropic_request import MessagesRequest
from underspend.gateway.acting import Acting
from underspend.gateway.states import States
from underspend.gateway.talks import Talk

_MARK, _HOUR = b'"cache_control"', b'"1h"'
_MODEL_SPEAKS, _A_BLOCK = b'"assistant"', b'"type"'
_PLAIN_TEXTS = 2


class Following:
    """Looks at calls for `States`. `routes` is whether the router may act at all where it is on.

    `kept` are the conversations of which an earlier gateway kept edits: these are made again, whoever is on.
    """

    def __init__(
        self,
        states: States,
        acting: Acting,
        pricing: Pricing,
        *,
        routes: bool = False,
        kept: AbstractSet[str] = frozenset(),
    ) -> None:
        self._states, self._acting, self._pricing, self._routes = states, acting, pricing, routes
        self._kept = frozenset(kept)
        self._kept_without_session = any(" " not in name for name in kept)

    def wants(self, call: Call, message: MessagesRequest) -> bool:
        """Whether a call, which has no blocks yet, is to be taken apart before it is sent."""
        case = self._states.of(call.identity)
        if self._routes and case.router is State.ON and not case.is_left_alone:
            return True
        name = self._acting.name_of(call)
        talk = self._acting.known(name) if name is not None else None
        begins = talk is None and _MODEL_SPEAKS not in message.messages
        if not begins and self._is_edited(name, talk):
            return True
        if not case.acting or call.endpoint != "messages" or call.identity.role is Role.SIDE:
            return False
        if talk is None and name is not None:
            talk = self._acting.recalled(name, begins=begins)
        glance = self._glance(call, message, talk, begins=begins)
        return any(strategy.may_act_on(glance) for strategy in case.acting)

    def _habits(self) -> Habits:
        return self._acting.habits

    def _is_edited(self, name: str | None, talk: Talk | None) -> bool:
        """Whether an earlier call of a conversation was edited, or sent to another model."""
        if name is None:
            return self._kept_without_session or self._acting.has_edited_without_session
        return name in self._kept or (talk is not None and talk.is_edited)

    def _glance(self, call: Call, message: MessagesRequest, talk: Talk | None, *, begins: bool) -> Glance:
        has_breakpoints, asks_for_an_hour = _marks(message, talk)
        return Glance(
            call=call,
            pricing=self._pricing,
            begins=begins,
            has_breakpoints=has_breakpoints,
            asks_for_an_hour=asks_for_an_hour,
            came_in=_came_in(message.messages) if has_breakpoints else 0,
            calls=talk.calls if talk is not None else None,
            longest_pause=talk.longest_pause(call.time) if talk is not None else 0,
            long_tokens=talk.long if talk is not None and call.time < talk.long_until else 0,
            habits=self._habits,
        )


def _marks(message: MessagesRequest, talk: Talk | None) -> tuple[bool, bool]:
    """Whether a request holds breakpoints, and one for an hour: such a one never stands behind one for five minutes.

    Tools and instructions are looked through once, and again when they have another length.
    """
    size, of_tools = len(message.system), len(message.tools)
    front = talk.front if talk is not None else None
    if front is None or front[:2] != (size, of_tools):
        marked = next((part for part in (message.system, message.tools) if _MARK in part), None)
        front = size, of_tools, marked is not None, marked is not None and _HOUR in marked
        if talk is not None:
            talk.front = front
    if front[2]:
        return True, front[3]
    is_marked = _MARK in message.messages
    return is_marked, is_marked and _HOUR in message.messages


def _came_in(messages: bytes) -> int:
    """The most blocks that the last exchange can have brought: each says of what type it is, but for plain texts."""
    at = messages.rfind(_MODEL_SPEAKS)
    return messages.count(_A_BLOCK, max(at, 0)) + _PLAIN_TEXTS
