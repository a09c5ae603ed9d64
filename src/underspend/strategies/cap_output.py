"""Limits replies near the longest that this kind of call has really had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from underspend.core.call import Call, Role
from underspend.core.context import Context
from underspend.core.edits import Edit, SetMaxOutput
from underspend.core.strategy import Strategy

_PRIOR = {
    "yes_no": 50,
    "short_answer": 200,
    "code_snippet": 1_000,
    "implementation": 3_000,
    "explanation": 4_000,
}
"""The longest replies to expect of a kind of task before any was seen: the upper ends of the table on the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapOutput(Strategy):
    """The limit is `headroom_percent` of the longest reply but one in a hundred, once `samples` replies were seen.

    Before that, calls of the kinds named in `kinds` (tokens by kind) get that times the headroom, others their own
    limit. A limit is only ever lowered, and leaves `floor` tokens beside what thinking may use. A reply cut off counts
    as long as its limit, so the next limit is higher by the headroom.
    """

    name: ClassVar[str] = "cap_output"
    headroom_percent: int = 150
    samples: int = 50
    floor: int = 256
    kinds: Mapping[str, int] = field(default_factory=lambda: dict(_PRIOR))

    def __post_init__(self) -> None:
        """Refuse a headroom that would shorten what was seen, when the configuration is read."""
        if self.headroom_percent <= 100:  # noqa: PLR2004  # all of it
            raise ValueError(f"headroom_percent is {self.headroom_percent}: replies need room above what was seen")

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """A lower `max_tokens`, where the call allows more than its kind needs."""
        if call.identity.role in {Role.SIDE, Role.COMPACTION} or call.endpoint != "messages":
            return
        seen = ctx.habits.outputs.get(call.kind, ())
        longest = _most_of(seen) if len(seen) >= self.samples else self.kinds.get(call.kind, 0)
        limit = max(longest * self.headroom_percent // 100, self.floor + call.thinking_budget)
        if longest and limit < call.max_output:
            known = f"99 of 100 of {len(seen)}" if len(seen) >= self.samples else "such"
            yield SetMaxOutput(limit, why=f"{known} replies of this kind have at most {longest} tokens")


def _most_of(seen: Sequence[int]) -> int:
    """The length that 99 of 100 replies do not pass."""
    return seen[(len(seen) * 99 + 99) // 100 - 1]
