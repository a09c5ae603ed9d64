"""How the gateway is: what it has served, what of its own has failed, and how much time it adds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from underspend.core.ports import Clock, LedgerHealth

_SAMPLES = 2_000
_FAULT_KINDS = 100


@dataclass(slots=True)
class _Seen:
    message: str
    count: int
    last_at: int


@dataclass(slots=True, kw_only=True)
class Status:
    """Counts and faults of one gateway process. Nothing here is asked for on the path of a call."""

    clock: Clock
    version: str
    listening: str = ""
    upstream: str = ""
    ledger: Callable[[], LedgerHealth] | None = None
    circuits: Callable[[], list[str]] | None = None
    budgets: Callable[[], dict[str, object]] | None = None
    answers: Callable[[], dict[str, int]] | None = None
    alerts: Callable[[], dict[str, object]] | None = None
    pauses: Callable[[], list[dict[str, object]]] | None = None
    calls: int = 0
    in_flight: int = 0
    started: int = field(init=False)
    _faults: dict[tuple[str, str], _Seen] = field(default_factory=dict)
    _overheads: deque[int] = field(default_factory=lambda: deque(maxlen=_SAMPLES))

    def __post_init__(self) -> None:
        """Note the start."""
        self.started = self.clock.now()

    def fault(self, component: str, message: str) -> None:
        """Record that a part of ours failed while the call went on. Equal faults are counted, not listed again."""
        key = (component, message[:200])
        seen = self._faults.get(key)
        if seen is None:
            if len(self._faults) >= _FAULT_KINDS:
                del self._faults[next(iter(self._faults))]
            seen = self._faults[key] = _Seen(message[:200], 0, 0)
        seen.count += 1
        seen.last_at = self.clock.now()

    def overhead(self, microseconds: int) -> None:
        """Note the time a call spent inside the gateway before it was forwarded."""
        self._overheads.append(microseconds)

    def snapshot(self) -> dict[str, object]:
        """Everything, as JSON-ready values: times in microseconds since the epoch, durations in their named units."""
        ordered = sorted(self._overheads)
        health = self.ledger() if self.ledger else None
        return {
            "version": self.version,
            "uptime_s": (self.clock.now() - self.started) // 1_000_000,
            "listening": self.listening,
            "upstream": self.upstream,
            "calls": self.calls,
            "in_flight": self.in_flight,
            "faults": [
                {"component": component, "message": seen.message, "count": seen.count, "last_at": seen.last_at}
                for (component, _), seen in sorted(self._faults.items(), key=lambda item: -item[1].last_at)
            ],
            "circuits": self.circuits() if self.circuits else [],
            "budgets": self.budgets() if self.budgets else None,
            "answers": self.answers() if self.answers else None,
            "alerts": self.alerts() if self.alerts else None,
            "pauses": self.pauses() if self.pauses else [],
            "ledger": {"state": health.state, "waiting": health.waiting} if health else None,
            "latency": {
                "overhead_p50_us": _quantile(ordered, 50),
                "overhead_p99_us": _quantile(ordered, 99),
            },
        }


def _quantile(ordered: list[int], percent: int) -> int | None:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else None
