"""Plays recorded sessions through a gateway: the past at once, then calls that happen now, until it is stopped."""

from __future__ import annotations

import http.client
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from underspend.testing.demo.client import Conversation, signed
from underspend.testing.demo.clock import ReplayClock
from underspend.testing.demo.recording import Call, Session
from underspend.testing.fake_upstream import Delivery, Reply, RequestView
from underspend.testing.fake_upstream.replies import output_tokens

_DAY_US = 86_400_000_000
_TIMEOUT_SECONDS = 60
_OK = 200
_AT_HAND = Delivery()
_SOON = Delivery(ttfb_ms=100, event_gap_ms=1)
_AS_IT_COMES = Delivery(ttfb_ms=600, event_gap_ms=8)


class PlayError(Exception):
    """The gateway or the fake provider did not answer a recorded call as it should."""


class Cue:
    """The fake provider's script: it answers each request with the reply that was put here for it."""

    def __init__(self) -> None:
        self._reply = Reply()

    def give(self, call: Call, delivery: Delivery) -> None:
        """Put the recorded reply of the next request here.

        Clients of early 2026 wrote down a reply's first few tokens only, so the text counts where it is more.
        """
        blocks = signed(call.reply)
        self._reply = Reply(
            content=tuple(blocks),
            output_tokens=max(call.output, output_tokens(blocks)),
            stop_reason=call.stop_reason,
            delivery=delivery,
            delta_chars=48 if delivery.event_gap_ms else 4_000,
        )

    def __call__(self, view: RequestView) -> Reply:
        """The reply, whatever the request."""
        del view
        return self._reply


class Due(NamedTuple):
    """A call and when it is to be made, in microseconds since the epoch."""

    at: int
    call: Call
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the play of the past is."""

    played: int
    of: int


def due(sessions: Sequence[Session], now: int) -> list[Due]:
    """Every call of these sessions in order. Each session keeps its own pauses and ends its `days_ago` before now."""
    found = []
    for session in sessions:
        start = now - round((session.days_ago or 0) * _DAY_US) - session.length * 1_000
        for thread in session.threads:
            conversation = Conversation(session, thread, session.id)
            found += [Due(start + call.at * 1_000, call, conversation) for call in thread.calls]
    return sorted(found, key=lambda each: each.at)


def again(sessions: Sequence[Session]) -> Iterator[tuple[Call, Conversation]]:
    """The calls of these sessions over and over, each time as sessions of a new id."""
    while True:
        for session in sessions:
            session_id = str(uuid.uuid4())
            threads = [(thread, Conversation(session, thread, session_id)) for thread in session.threads]
            calls = [(call, conversation) for thread, conversation in threads for call in thread.calls]
            yield from sorted(calls, key=lambda each: each[0].at)


class Player:
    """Makes the calls, one after the other, from a thread of its own.

    `cue` is the script of the fake provider behind the gateway and `clock` the time of both. `pause` is the wait in
    seconds after each call of the past. After `stop` no new call begins. With `direct` the calls are for a provider
    itself, whose paths name no project.
    """

    def __init__(
        self, *, cue: Cue, clock: ReplayClock, pause: float = 0, live_pause: float = 2.5, direct: bool = False
    ) -> None:
        self._cue = cue
        self._clock = clock
        self._pause = pause
        self._live_pause = live_pause
        self._direct = direct
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Begin no further call."""
        self._stopping.set()

    def stopped_within(self, seconds: float) -> bool:
        """Whether it is told to stop before so many seconds have passed."""
        return self._stopping.wait(seconds)

    def past(self, url: str, sessions: Sequence[Session], told: Callable[[Progress], None]) -> None:
        """Play these sessions in the past and come back to the present. Raises PlayError."""
        calls = due(sessions, self._clock.now())
        delivery = _SOON if self._pause else _AT_HAND
        self._clock.rewind(calls[0].at)
        with closing(_connect(url)) as gateway:
            for number, (at, call, conversation) in enumerate(calls, 1):
                if self._stopping.wait(self._pause) if self._pause else self._stopping.is_set():
                    break
                self._clock.reach(at)
                self._play(gateway, call, conversation, delivery)
                told(Progress(number, len(calls)))
        self._clock.release()

    def live(self, url: str, sessions: Sequence[Session]) -> None:
        """Play these sessions now, a call every few seconds, over and over until `stop`. Raises PlayError."""
        with closing(_connect(url)) as gateway:
            for call, conversation in again(sessions):
                if self._stopping.wait(self._live_pause):
                    return
                self._play(gateway, call, conversation, _AS_IT_COMES)

    def _play(
        self, gateway: http.client.HTTPConnection, call: Call, conversation: Conversation, delivery: Delivery
    ) -> None:
        self._cue.give(call, delivery)
        path, headers, body = conversation.request(call)
        if self._direct:
            path = path[path.index("/v1/") :]
        try:
            gateway.request("POST", path, body, headers)
            response = gateway.getresponse()
            said = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise PlayError(f"the gateway broke off: {error}") from error
        if response.status != _OK:
            raise PlayError(f"a recorded call was answered {response.status}: {said[:300].decode(errors='replace')}")
        conversation.answered(call)


def _connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=_TIMEOUT_SECONDS)
