"""Switching to a cheaper model for a turn and back: what it would have cost on the user's own turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from underspend.advisors.claimed import NO_BILL
from underspend.advisors.model_steps import cheaper
from underspend.advisors.simple_work import only_looks, turns, work_of
from underspend.core.advisor import Confidence, Finding, Surroundings, Urgency
from underspend.core.call import Role
from underspend.core.evidence import Evidence
from underspend.core.history import Answered, History, Timeline
from underspend.core.money import Money, show
from underspend.core.usage import Lane

_WRITES: Final = (Lane.CACHE_WRITE_5M, Lane.CACHE_WRITE_1H)


@dataclass(frozen=True, slots=True)
class _Turn:
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
        return self.would - self.paid


class MidSession:
    """The turns of a history that only read, in sessions that did more."""

    def __init__(self, history: History, around: Surroundings) -> None:
        self._around = around
        lines = [line for line in history.timelines if line.role in {Role.MAIN, Role.UNKNOWN} and not work_of(line)]
        self._turns = [turn for line in lines for turn in self._read_turns(line)]

    def finding(self, name: str) -> Iterator[Finding]:
        """Whether switching for those turns was a loss over all; nothing without such turns."""
        if not self._turns:
            return
        loss, rewrite = sum(turn.loss for turn in self._turns), sum(turn.rewrite for turn in self._turns)
        some = f"{len(self._turns)} turns that only read"
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
            rows=tuple(
                {
                    "session": turn.session,
                    "model": turn.model,
                    "cheaper": turn.other,
                    "replies": turn.replies,
                    "paid": show(turn.paid),
                    "would": show(turn.would),
                    "rewrite": show(turn.rewrite),
                }
                for turn in sorted(self._turns, key=lambda turn: -abs(turn.loss))[:20]
            ),
        )

    def _read_turns(self, timeline: Timeline) -> Iterator[_Turn]:
        for replies in turns(timeline):
            models = {reply.metered.model for reply in replies}
            if len(models) == 1 and only_looks(replies):
                found = self._turn(timeline.session, models.pop() or "", replies)
                if found:
                    yield found

    def _turn(self, session: str, model: str, replies: Sequence[Answered]) -> _Turn | None:
        others = cheaper(model, replies[0].at)
        if not others:
            return None
        other, paid, would, rewrite = others[0].id, 0, 0, 0
        for index, reply in enumerate(replies):
            bill, usage = self._around.bills.get(reply.message_id, NO_BILL), reply.metered.usage
            paid += bill.total
            would += sum(bill.lane(lane) for lane in _WRITES)
            if index == 0:
                rewrite = self._at(other, Lane.CACHE_WRITE_5M, reply, usage.prompt)
                would += rewrite + self._at(other, Lane.OUTPUT, reply, usage.output)
            else:
                would += sum(self._at(other, lane, reply, usage.lane(lane)) for lane in Lane)
        return _Turn(session, model, other, len(replies), paid, would, rewrite) if paid else None

    def _at(self, model: str, lane: Lane, reply: Answered, tokens: int) -> Money:
        return tokens * (self._around.rates.rate(model, lane, reply.at, reply.metered.usage.prompt) or 0)
