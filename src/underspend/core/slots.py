"""What is remembered of a slot's model: what was asked for, what it got, and where that failed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from underspend.core.call import Call, Section
from underspend.core.plan import Plan


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure of a slot's model at a time (µs since the epoch), in words for the user (as in `core.signs`).

    A `certain` one does not wait for a free moment.
    """

    why: str
    at: int
    certain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What a slot was last sent to: `asked` is the client's own model, the others what it got in its place.

    `effort` is what the router asked for, None where the client's own was left. `changed_at` is when the slot last
    changed its model while the client went on to ask for the same one. `escalations` are those changes that answered a
    failure; `failures` are all of the slot's, added by whoever sees them.
    """

    asked: str
    model: str
    provider: str
    effort: str | None = None
    changed_at: int = -1
    escalations: int = 0
    failures: tuple[Failure, ...] = ()

    @property
    def is_away(self) -> bool:
        """Whether the slot is on another model than its client asks for."""
        return self.model != self.asked

    @property
    def unanswered(self) -> tuple[Failure, ...]:
        """Failures since the model was last changed."""
        return tuple(failure for failure in self.failures if failure.at > self.changed_at)


def after(slot: Slot | None, plan: Plan) -> Slot:
    """The slot after a call. A client that asks for another model than before begins anew."""
    asked, sent = plan.asked, plan.call
    effort = sent.effort if sent.effort != asked.effort else None
    if slot is None or slot.asked != asked.model:
        return Slot(asked=asked.model, model=sent.model, provider=sent.provider, effort=effort)
    if (slot.model, slot.provider) == (sent.model, sent.provider):
        return slot if slot.effort == effort else replace(slot, effort=effort)
    return replace(
        slot,
        model=sent.model,
        provider=sent.provider,
        effort=effort,
        changed_at=sent.time,
        escalations=slot.escalations + bool(slot.unanswered),
    )


_HOUR = 3_600_000_000
_MOST_KEPT = 4_096


class Beginnings:
    """What prompts begin with (tools and instructions), and what was last sent to behind the same beginning.

    Conversations share what the cache holds of it. One that goes elsewhere leaves it cold for those that stay, so those
    that begin within an hour (the longest lifetime) had better go along.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, bytes], tuple[int, Slot]] = {}

    def beside(self, call: Call) -> Slot | None:
        """The slot of the last call with the same beginning, of a client that asked for the same model."""
        at, slot = self._last.get(_beginning(call), (0, None))
        return slot if slot is not None and call.time - at <= _HOUR else None

    def add(self, plan: Plan, slot: Slot) -> None:
        """A call as it was sent, and its slot after it."""
        key = _beginning(plan.asked)
        self._last.pop(key, None)
        if len(self._last) >= _MOST_KEPT:
            del self._last[next(iter(self._last))]
        self._last[key] = plan.asked.time, slot


def _beginning(call: Call) -> tuple[str, bytes]:
    digests = []
    for block in call.blocks:
        if block.section is Section.MESSAGES:
            break
        digests.append(block.digest)
    return call.model, b"".join(digests)
