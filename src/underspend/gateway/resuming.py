"""What is paused, and `POST /_/resume`, which ends pauses: {"session": id}, or null for those of all calls."""

from __future__ import annotations

import msgspec

from underspend.core.ports import Clock
from underspend.core.runaway import Runaway
from underspend.formats.lenient import obj
from underspend.gateway import refusals
from underspend.gateway.telling import respond
from underspend.gateway.transport import BodyTooLargeError, Request, Responder

PATH = b"/_/resume"
_LARGEST = 64 * 1024


class Resuming:
    """Lists and ends the pauses of one gateway; without anything watched there are none."""

    def __init__(self, runaway: Runaway | None, clock: Clock) -> None:
        self._runaway = runaway
        self._clock = clock

    def pauses(self) -> list[dict[str, object]]:
        """The pauses in force, oldest first, as JSON-ready values; times in microseconds since the epoch."""
        if self._runaway is None:
            return []
        return [
            {
                "session": pause.session,
                "agent": pause.agent,
                "kind": pause.kind.value,
                "words": pause.words,
                "since": pause.since,
                "until": pause.until,
            }
            for pause in self._runaway.pauses(self._clock.now())
        ]

    async def handle(self, request: Request, responder: Responder) -> None:
        """Answer one request with how many pauses were ended; 400 for what names no session."""
        try:
            said = obj(msgspec.json.decode(await request.body(_LARGEST)))
        except (msgspec.DecodeError, BodyTooLargeError):
            said = {}
        session = said.get("session")
        if "session" not in said or not isinstance(session, str | None):
            problem = 'this takes {"session": id}, or {"session": null} for the pauses of all calls'
            await refusals.not_carried(responder, 400, problem, dialect="anthropic")
            return
        ended = self._runaway.lift(session, self._clock.now()) if self._runaway is not None else 0
        await respond(responder, {"ended": ended})
