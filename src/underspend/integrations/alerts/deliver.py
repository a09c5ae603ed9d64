"""Delivering alerts in the background: a thread and a bounded queue for each place, so that none waits for another.

Whoever has something to tell hands it over and goes on: `tell` takes a lock and touches memory, nothing else. What
cannot be delivered is tried again with growing pauses, and then counted, written down and shown by `status`.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self

from underspend.core.alerts import Alert, Decision, Quiet, Told
from underspend.core.errors import ConfigError
from underspend.core.ports import Clock
from underspend.integrations.alerts.places import Place
from underspend.integrations.alerts.record import Record, Sent, State
from underspend.integrations.alerts.sending import NotSentError, shape

_QUEUE = 100
_CLOSE_SECONDS = 3.0
_RECENT = 50

Fault = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a delivery is tried in all, and the pauses between: `first` seconds, doubled each time up to `most`.

    Half of each pause is left to chance, so that many gateways do not come back at the same moment.
    """

    tries: int = 6
    first: float = 2.0
    most: float = 60.0

    def pause(self, tried: int, chance: float, after: int = 0) -> float:
        """The seconds to wait after so many tries, `after` at least; `chance` lies between 0 and 1."""
        whole = min(self.most, self.first * float(1 << min(tried - 1, 30)))
        return max(after, whole / 2 + whole / 2 * chance)


@dataclass(slots=True, kw_only=True)
class Health:
    """How delivery to a place goes: counts since the start, times in microseconds since the epoch."""

    name: str
    kind: str
    sent: int = 0
    failed: int = 0
    dropped: int = 0
    waiting: int = 0
    last_sent_at: int | None = None
    last_error: str = ""
    last_error_at: int | None = None


class _Line:
    """The queue and the thread of one place."""

    def __init__(self, place: Place, clock: Clock, retries: Retries, note: Callable[[Sent], None]) -> None:
        self.place = place
        self._clock = clock
        self._retries = retries
        self._note = note
        self._waiting: deque[Alert] = deque()
        self._lost: deque[Alert] = deque(maxlen=_QUEUE)
        self._wake = threading.Condition()
        self._is_closing = False
        self._until = 0.0
        self._health = Health(name=place.said.name, kind=place.said.kind)
        self._chance = random.Random()  # noqa: S311  # pauses are to differ, not to be secret
        self._thread = threading.Thread(target=self._run, name=f"alerts {place.said.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, alert: Alert) -> None:
        """Queue an alert; a full queue loses the oldest of its mildest."""
        with self._wake:
            self._waiting.append(alert)
            if len(self._waiting) > _QUEUE:
                lost = min(self._waiting, key=lambda each: each.severity.rank)
                self._waiting.remove(lost)
                self._lost.append(lost)  # its thread writes it down, the caller does not wait for a file
                self._health.dropped += 1
            self._wake.notify()

    def health(self) -> Health:
        with self._wake:
            self._health.waiting = len(self._waiting)
            return Health(**asdict(self._health))

    def ask_to_close(self, seconds: float) -> None:
        """Deliver what waits, each once, for so many seconds at most."""
        with self._wake:
            self._is_closing = True
            self._until = time.monotonic() + seconds
            self._wake.notify()

    def close(self) -> None:
        self._thread.join(max(0.0, self._until - time.monotonic()))
        with self._wake:
            left = list(self._waiting)
            self._waiting.clear()
            self._health.dropped += len(left)
        self._note_lost()
        for alert in left:
            self._note(self._sent(State.DROPPED, alert, 0, "the gateway stopped first"))

    def _run(self) -> None:
        while (alert := self._next()) is not None:
            self._deliver(alert)
            self._note_lost()

    def _note_lost(self) -> None:
        with self._wake:
            lost = list(self._lost)
            self._lost.clear()
        for alert in lost:
            self._note(self._sent(State.DROPPED, alert, 0, f"more than {_QUEUE} waited"))

    def _next(self) -> Alert | None:
        with self._wake:
            while not self._waiting:
                if self._is_closing:
                    return None
                self._wake.wait()
            if self._is_closing and time.monotonic() >= self._until:
                return None
            return self._waiting.popleft()

    def _deliver(self, alert: Alert) -> None:
        tried = 0
        while True:
            tried += 1
            try:
                self.place.sender.send(alert, self._clock.now())
            except NotSentError as error:
                if self._waits(error, tried):
                    continue
                self._end(alert, tried, str(error))
            except ConfigError as error:
                self._end(alert, tried, str(error))
            except Exception as error:  # noqa: BLE001  # a sender's fault may not end the thread, nor show what it held
                self._end(alert, tried, f"{type(error).__name__} in the sender")
            else:
                self._end(alert, tried, "")
            return

    def _waits(self, error: NotSentError, tried: int) -> bool:
        """Waits for the next try; False when there is none."""
        with self._wake:
            self._health.last_error, self._health.last_error_at = str(error), self._clock.now()
            if not error.again or tried >= self._retries.tries:
                return False
            pause = self._retries.pause(tried, self._chance.random(), error.after)
            self._wake.wait_for(lambda: self._is_closing, pause)
            return not self._is_closing

    def _end(self, alert: Alert, tried: int, error: str) -> None:
        with self._wake:
            if error:
                self._health.failed += 1
                self._health.last_error, self._health.last_error_at = error, self._clock.now()
            else:
                self._health.sent += 1
                self._health.last_sent_at = self._clock.now()
        self._note(self._sent(State.FAILED if error else State.SENT, alert, tried, error))

    def _sent(self, state: State, alert: Alert, tried: int, error: str) -> Sent:
        return Sent(at=self._clock.now(), to=self.place.said.name, state=state, alert=alert, tries=tried, error=error)


class Deliveries:
    """Tells all places, within the quiet periods; as a context, its threads run while it is open.

    `record` is where it is written down what became of each; `on_fault` is told that this, or a delivery, failed.
    """

    def __init__(  # noqa: PLR0913  # what deliveries are made of
        self,
        places: Sequence[Place],
        clock: Clock,
        *,
        quiet: Quiet | None = None,
        retries: Retries | None = None,
        record: Record | None = None,
        on_fault: Fault = lambda *_: None,
    ) -> None:
        self._told = Told(quiet or Quiet())
        self._held = dict.fromkeys((Decision.QUIET, Decision.FLOOD), 0)
        self._recent: deque[Alert] = deque(maxlen=_RECENT)
        self._lock = threading.Lock()
        self._clock = clock
        self._record = record
        self._on_fault = on_fault
        self._lines = [_Line(place, clock, retries or Retries(), self._note) for place in places]

    def __enter__(self) -> Self:
        """Start the threads. What was told before is remembered, so that a restart repeats nothing."""
        if self._record is not None:
            before = {alert.id: alert for alert in _told(self._record.read())}
            self._told.remember(before.values())
            self._recent.extend(before.values())
        for line in self._lines:
            line.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give what waits three seconds in all, then stop."""
        for line in self._lines:
            line.ask_to_close(_CLOSE_SECONDS)
        for line in self._lines:
            line.close()

    def tell(self, alert: Alert) -> None:
        """Hand an alert over; returns at once and never raises."""
        with self._lock:
            decision, made = self._told.decide(alert)
            if decision is not Decision.TELL:
                self._held[decision] += 1
                return
            self._recent.append(made)
        for line in self._lines:
            if line.place.said.wants(made):
                line.put(made)

    def snapshot(self) -> dict[str, object]:
        """How it goes, as JSON-ready values: the latest alerts, each place, and how many were held back and why."""
        with self._lock:
            recent = [shape(alert) for alert in reversed(self._recent)]
        return {
            "recent": recent,
            "places": [asdict(line.health()) for line in self._lines],
            "held_back": self._held[Decision.QUIET],
            "too_many": self._held[Decision.FLOOD],
        }

    def _note(self, sent: Sent) -> None:
        if sent.error:
            self._on_fault("alerts", f"{sent.to}: {sent.error}")
        if self._record is None:
            return
        try:
            self._record.add(sent)
        except OSError as error:
            self._on_fault("alerts", f"what was sent cannot be written down ({error.strerror})")


def _told(record: Iterable[Sent]) -> Iterable[Alert]:
    """What got somewhere, in the order in which it was said."""
    return sorted((sent.alert for sent in record if sent.state is State.SENT), key=lambda alert: alert.at)
