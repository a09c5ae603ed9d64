"""Switching to a cheaper model for a turn and back: what it would have cost on the user's own turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from underspend.advisors.claimed import NO_BILL
from underspend.advisors.model_steps import cheaper
from underspend.advisors.reading import first
from underspend.advisors.simple_work import only_looks, turns, work_of
from underspend.core.advisor import Confidence, Finding, Surroundings, Urgency
from underspend.core.call import Role
from underspend.core.evidence import Evidence
from underspend.core.history import Answered, History, Timeline
from underspend.core.money import Money, show
from underspend.core.usage import Lane

_WRITES: Final = (Lane.CACHE_WRITE_5M, Lane.CACHE_WRITE_1H)
_ROWS = 20


class Turn(msgspec.Struct, array_like=True, gc=False):
    """A turn that only read, as it was and on the next model down: `rewrite` is what filling its cache takes."""

    session: str
    model: str
    other: str
    replies: int
    paid: Money
    would: Money
    rewrite: Money

    @property
    def loss(self) -> Money:
        """What switching would have cost more; negative where it would have saved."""
        return self.would - self.paid

    def order(self) -> tuple[object, ...]:
        """The largest differences first."""
        return -abs(self.loss), self.session, self.replies, self.paid


class Turns(msgspec.Struct, array_like=True, gc=False):
    """The turns that only read, in sessions that did more: all of them added up, and the first `_ROWS`."""

    count: int
    loss: Money
    rewrite: Money
    largest: list[Turn]


def mid_session(history: History, around: Surroundings) -> Turns:
    """The turns of a history that only read, in sessions that did more."""
    lines = [line for line in history.timelines if line.role in {Role.MAIN, Role.UNKNOWN} and not work_of(line)]
    found = [turn for line in lines for turn in _read_turns(line, around)]
    loss, rewrite = sum(turn.loss for turn in found), sum(turn.rewrite for turn in found)
    return Turns(len(found), loss, rewrite, first([found], Turn.order, _ROWS))


def switching(name: str, parts: Sequence[Turns]) -> Iterator[Finding]:
    """Whether switching for those turns was a loss over all; nothing without such turns."""
    count = sum(part.count for part in parts)
    if not count:
        return
    loss, rewrite = sum(part.loss for part in parts), sum(part.rewrite for part in parts)
    some = f"{count} turns that only read"
    title = (
        f"Not recommended: switching models for {some} would have cost {show(loss)} more"
        if loss >= 0
        else f"Switching models for {some} would have saved {show(-loss)}; an Explore sub-agent saves more"
    )
    yield Finding(
        id=f"{name}/mid-session",
        urgency=Urgency.FYI,
        title=title,
        amount=0,
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=(
            f"Caches are kept per model: each switch writes the whole context anew ({show(rewrite)} in all), and on"
            " the way back the model before writes what the turn added. Choose the model when a session or an agent"
            " starts."
        ),
        rows=tuple(map(_row, first((part.largest for part in parts), Turn.order, _ROWS))),
    )


def _row(turn: Turn) -> dict[str, str | int]:
    return {
        "session": turn.session,
        "model": turn.model,
        "cheaper": turn.other,
        "replies": turn.replies,
        "paid": show(turn.paid),
        "would": show(turn.would),
        "rewrite": show(turn.rewrite),
    }


def _read_turns(timeline: Timeline, around: Surroundings) -> Iterator[Turn]:
    for replies in turns(timeline):
        models = {reply.metered.model for reply in replies}
        if len(models) == 1 and only_looks(replies):
            found = _turn(timeline.session, models.pop() or "", replies, around)
            if found:
                yield found


def _turn(session: str, model: str, replies: Sequence[Answered], around: Surroundings) -> Turn | None:
    others = cheaper(model, replies[0].at)
    if not others:
        return None
    other, paid, would, rewrite = others[0].id, 0, 0, 0
    for index, reply in enumerate(replies):
        bill, usage = around.bills.get(reply.message_id, NO_BILL), reply.metered.usage
        paid += bill.total
        would += sum(bill.lane(lane) for lane in _WRITES)
        if index == 0:
            rewrite = _at(other, Lane.CACHE_WRITE_5M, reply, usage.prompt, around)
            would += rewrite + _at(other, Lane.OUTPUT, reply, usage.output, around)
        else:
            would += sum(_at(other, lane, reply, usage.lane(lane), around) for lane in Lane)
    return Turn(session, model, other, len(replies), paid, would, rewrite) if paid else None


def _at(model: str, lane: Lane, reply: Answered, tokens: int, around: Surroundings) -> Money:
    return tokens * (around.rates.rate(model, lane, reply.at, reply.metered.usage.prompt) or 0)
