"""How well the cache's rules predict a user's own bill: the figures of `underspend whatif --check`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from underspend.audit.prediction import Predicted
from underspend.audit.prediction_causes import WORDS, Cause, cause_of
from underspend.core.money import Money, to_usd

_ONE_PERCENT = 100


@dataclass(slots=True)
class Sums:
    """Calls and their dollars, as recorded and as predicted."""

    calls: int = 0
    recorded: Money = 0
    predicted: Money = 0

    def add(self, each: Predicted) -> None:
        """Count a call."""
        self.calls += 1
        self.recorded += each.cost_recorded
        self.predicted += each.cost_predicted

    @property
    def is_close(self) -> bool:
        """Whether the predicted dollars are within 1 % of the recorded ones."""
        return abs(self.predicted - self.recorded) * _ONE_PERCENT <= self.recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A call that was not billed as predicted. `extra` is what was paid above the prediction; negative if less."""

    each: Predicted
    cause: Cause

    @property
    def extra(self) -> Money:
        """Dollars paid above the prediction."""
        return self.each.cost_recorded - self.each.cost_predicted


@dataclass(slots=True, kw_only=True)
class Check:
    """The comparison. `misses` are the calls further than 2 % of their prompt off, the dearest first.

    `inferred` are first requests taken as recorded; `sessions` sums the determined calls of each session; `open`
    counts why the other calls are not determined.
    """

    every: Sums = field(default_factory=Sums)
    close: int = 0
    inferred: Sums = field(default_factory=Sums)
    determined: Sums = field(default_factory=Sums)
    sessions: dict[str, Sums] = field(default_factory=lambda: defaultdict(Sums))
    open: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    misses: list[Miss] = field(default_factory=list)

    @property
    def sessions_close(self) -> int:
        """Sessions whose determined calls cost within 1 % of what was predicted."""
        return sum(sums.is_close for sums in self.sessions.values())

    @property
    def by_cause(self) -> dict[Cause, tuple[int, Money]]:
        """Misses and the dollars paid above the prediction, by cause, the dearest first."""
        found: dict[Cause, tuple[int, Money]] = {}
        for miss in self.misses:
            calls, extra = found.get(miss.cause, (0, 0))
            found[miss.cause] = (calls + 1, extra + miss.extra)
        return dict(sorted(found.items(), key=lambda pair: -abs(pair[1][1])))


def check(predicted: Iterable[Predicted]) -> Check:
    """The comparison over these calls."""
    made = Check()
    for each in predicted:
        made.every.add(each)
        if each.inferred:
            made.inferred.add(each)
        if each.undetermined is None:
            made.determined.add(each)
            made.sessions[each.step.line.session].add(each)
        else:
            made.open[each.undetermined.value] += 1
        if each.is_close:
            made.close += 1
        else:
            made.misses.append(Miss(each=each, cause=cause_of(each)))
    made.misses.sort(key=lambda miss: -abs(miss.extra))
    return made


def check_shape(made: Check) -> dict[str, Any]:
    """The comparison as JSON; dollars are exact decimal strings."""
    return {
        "calls": made.every.calls,
        "calls_within_2pct": made.close,
        "cost_recorded_usd": usd(made.every.recorded),
        "cost_predicted_usd": usd(made.every.predicted),
        "inferred": {"calls": made.inferred.calls, "cost_recorded_usd": usd(made.inferred.recorded)},
        "determined": {
            "calls": made.determined.calls,
            "cost_recorded_usd": usd(made.determined.recorded),
            "cost_predicted_usd": usd(made.determined.predicted),
            "sessions": len(made.sessions),
            "sessions_within_1pct": made.sessions_close,
        },
        "undetermined": dict(sorted(made.open.items(), key=lambda pair: (-pair[1], pair[0]))),
        "misses_by_cause": {
            cause.value: {"calls": calls, "usd": usd(extra)} for cause, (calls, extra) in made.by_cause.items()
        },
        "misses": [_miss_shape(miss) for miss in made.misses],
    }


def usd(amount: Money) -> str:
    """Exact dollars in plain digits."""
    return f"{to_usd(amount):f}"


def _miss_shape(miss: Miss) -> dict[str, Any]:
    step, expected, recorded = miss.each.step, miss.each.expected, miss.each.recorded
    return {
        "at": moment(step.reply.at),
        "session": step.line.session,
        "agent": step.line.agent,
        "message_id": step.reply.message_id,
        "cause": miss.cause.value,
        "usd": usd(miss.extra),
        "predicted": {"read": expected.cache_read, "write": expected.written, "fresh": expected.input},
        "recorded": {"read": recorded.cache_read, "write": recorded.written, "fresh": recorded.input},
    }


def moment(at: int) -> str:
    """The time in UTC, to the second."""
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def cause_rows(made: Check) -> Sequence[tuple[str, int, Money]]:
    """The causes in words, with calls and dollars, the dearest first."""
    return [(WORDS[cause], calls, extra) for cause, (calls, extra) in made.by_cause.items()]
