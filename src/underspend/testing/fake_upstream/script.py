"""What to answer: queues, routes by session, agent or role, and the reply given when nothing is scripted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any, TypeAlias

import msgspec

from underspend.testing.fake_upstream.api_error import invalid
from underspend.testing.fake_upstream.faults import PREFIX, Fault, delivery_in, fault_in
from underspend.testing.fake_upstream.recorded import Recorded
from underspend.testing.fake_upstream.replies import Reply
from underspend.testing.fake_upstream.tool_loop import Call, ToolLoop
from underspend.testing.fake_upstream.view import RequestView

Answer: TypeAlias = Reply | Fault | Recorded
Script: TypeAlias = Callable[[RequestView], Answer | None]

_WORDS = ("the", "cache", "was", "warm", "so", "this", "reply", "cost", "little", "and", "said", "enough")
_FEWEST, _SPREAD = 6, 40


class Queue:
    """Answers in order, then `default` (None: the next script, at last the default reply).

    `roles` limits the queue to requests of those roles, so that a compaction or a side call takes none.
    """

    def __init__(
        self,
        answers: Iterable[Answer],
        *,
        default: Answer | None = None,
        roles: Iterable[str] | None = None,
    ) -> None:
        self._answers = deque(answers)
        self._default = default
        self._roles = None if roles is None else frozenset(roles)

    def __len__(self) -> int:
        return len(self._answers)

    def push(self, answer: Answer) -> None:
        """Adds an answer at the end."""
        self._answers.append(answer)

    def __call__(self, view: RequestView) -> Answer | None:
        """The answer to this request, or None to leave it to the next script."""
        if self._roles is not None and view.role not in self._roles:
            return None
        return self._answers.popleft() if self._answers else self._default


class Routed:
    """Sends a request to the script of its agent, session or role, in that order, else to `default`.

    Sub-agents get random ids, so `agent_prompts` names their scripts by a piece of their first prompt; an agent
    keeps the script it was given first.
    """

    def __init__(
        self,
        *,
        agents: Mapping[str, Script] | None = None,
        agent_prompts: Mapping[str, Script] | None = None,
        sessions: Mapping[str, Script] | None = None,
        roles: Mapping[str, Script] | None = None,
        default: Script | None = None,
    ) -> None:
        self._agents = dict(agents or {})
        self._agent_prompts = dict(agent_prompts or {})
        self._sessions = dict(sessions or {})
        self._roles = dict(roles or {})
        self._default = default

    def __call__(self, view: RequestView) -> Answer | None:
        """The answer to this request, or None to leave it to the next script."""
        # an emptied Queue is falsy and still the script to ask
        routes = (self._agent_script(view), self._sessions.get(view.session or ""), self._roles.get(view.role))
        script = next((route for route in routes if route is not None), self._default)
        return None if script is None else script(view)

    def _agent_script(self, view: RequestView) -> Script | None:
        if view.agent is None:
            return None
        if view.agent not in self._agents:
            for piece, script in self._agent_prompts.items():
                if piece in view.first_text:
                    self._agents[view.agent] = script
                    break
        return self._agents.get(view.agent)


def in_turn(*scripts: Script) -> Script:
    """A script that asks each of `scripts` until one has an answer."""

    def ask(view: RequestView) -> Answer | None:
        for script in scripts:
            answer = script(view)
            if answer is not None:
                return answer
        return None

    return ask


def choose(view: RequestView, script: Script | None) -> Answer:
    """The answer to a request: by its `x-fake-*` headers, else by the script, else the default reply.

    `x-fake-status` makes a fault and `x-fake-reply` (JSON) a reply; the other headers change how the answer
    is delivered. Raises ApiError (400) for a header that cannot be read.
    """
    fault = fault_in(view.headers)
    if fault is not None:
        return fault
    asked = view.headers.get(PREFIX + "reply")
    if asked is not None:
        try:
            answer: Answer = msgspec.json.decode(asked, type=Reply)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise invalid(f"x-fake-reply: {error}") from error
    else:
        answer = (script(view) if script is not None else None) or default_reply(view)
    delivery = delivery_in(view.headers, answer.delivery)
    return msgspec.structs.replace(answer, delivery=delivery)


def default_reply(view: RequestView) -> Reply:
    """A short text that depends on the request alone; a `<summary>` when the client asks to compact."""
    if view.role == "compaction":
        return Reply(content="<analysis>Short.</analysis>\n<summary>\nWhat was asked, what was done.\n</summary>")
    seed = blake2b(f"{view.model}\0{view.last_text}\0{len(view.messages)}".encode(), digest_size=8).digest()
    length = _FEWEST + int.from_bytes(seed[:2], "big") % _SPREAD
    words = [_WORDS[(seed[n % len(seed)] + n) % len(_WORDS)] for n in range(length)]
    return Reply(content=" ".join(words).capitalize() + ".")


class _ScriptDocument(msgspec.Struct, forbid_unknown_fields=True):
    queue: tuple[Answer, ...] = ()
    default: Answer | None = None
    rounds: tuple[tuple[Call, ...], ...] = ()
    final: str = "Done."


def script_from_json(raw: bytes) -> Script:
    """A script from JSON: `{"queue": [answer...], "default": answer}` or `{"rounds": [[call...]], "final": text}`.

    An answer is a reply, fault or recorded answer named by its `type`. Raises ApiError (400) when unreadable.
    """
    try:
        document = msgspec.json.decode(raw, type=_ScriptDocument)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise invalid(f"script: {error}") from error
    loop: list[Script] = [ToolLoop(*document.rounds, final=document.final)] if document.rounds else []
    return in_turn(Queue(document.queue), *loop, lambda _view: document.default)


def answer_json(answer: Answer) -> dict[str, Any]:
    """The answer as the JSON that `script_from_json` reads."""
    built: dict[str, Any] = msgspec.to_builtins(answer)
    return built
