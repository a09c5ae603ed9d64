"""What strategies would have done with a call, told when its reply is out: no call waits for it.

Looks take at most a hundredth of one CPU. That is enough for all calls of a hundred people; under more load only some
calls are looked at, and of the others it is noted when they were and what they cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from underspend.core import engine
from underspend.core.call import Call
from underspend.core.context import Context
from underspend.core.plan import Plan
from underspend.core.reply import Outcome
from underspend.formats.anthropic_blocks import Anatomy
from underspend.gateway.acting import Acting
from underspend.gateway.asked import Asked
from underspend.gateway.clock import elapsed_us
from underspend.gateway.entries import End
from underspend.gateway.passage import Passage
from underspend.gateway.states import Case, States
from underspend.gateway.status import Status

_PART = 100
_MOST_SAVED_US = 20_000


@dataclass(slots=True)
class Spare:
    """Time for what nobody waits for: one part in a hundred of what passes, and what was left over of two seconds."""

    now: Callable[[], int] = elapsed_us
    left: int = _MOST_SAVED_US
    last: int = -1

    def is_there(self) -> bool:
        """Whether there is any."""
        now = self.now()
        if self.last >= 0:
            self.left = min(_MOST_SAVED_US, self.left + (now - self.last) // _PART)
        self.last = now
        return self.left > 0

    def spend(self) -> None:
        """Take off what has passed since it was asked for."""
        self.left -= self.now() - self.last


@dataclass(slots=True, kw_only=True)
class Observing:
    """Looks at calls whose replies are out.

    `context` makes what strategies may know of a call, and notes that it was made where it is told to.
    """

    states: States
    acting: Acting | None
    status: Status
    context: Callable[[Asked, Call, bool], Context]
    spare: Spare = field(default_factory=Spare)

    def look(self, passage: Passage, end: End) -> None:
        """Add to the call's entry what strategies would have done, and have its conversation remembered as it is."""
        asked, entry = passage.asked, passage.entry
        case = self.states.of(asked.call.identity)
        if end.outcome is not Outcome.OK or not asked.talks:
            return
        if not case.after and (entry.followed or not case.acting):
            return
        if not self.spare.is_there():
            return
        try:
            self._look(passage, case)
        except Exception as error:  # noqa: BLE001  # fail open: nothing hangs on it
            self.status.fault("observing", f"{type(error).__name__}: {error}")
        finally:
            self.spare.spend()

    def _look(self, passage: Passage, case: Case) -> None:
        asked, entry = passage.asked, passage.entry
        plan, was_followed = entry.plan, entry.followed
        if self.acting is not None and asked.message is not None and not was_followed:
            plan = _with_blocks(plan, self.acting.anatomy(asked.message))
            if entry.prompt is not None:
                entry.prompt = replace(entry.prompt, blocks=tuple(plan.asked.blocks) or None)
            if entry.row.get("turn") is None and plan.asked.identity.turn is not None:
                entry.row["turn"] = plan.asked.identity.turn[:64]
            entry.plan, entry.followed = plan, True
        known = self.context(asked, plan.asked, not was_followed)
        # What is to be made again has been, or nothing is.
        known = replace(known, conversation=replace(known.conversation, kept={}))
        found = engine.run(plan.call, case.after, known)
        entry.plan = replace(plan, decisions=(*plan.decisions, *found.decisions))
        for fault in found.faults:
            self.status.fault(fault.component, fault.message)


def _with_blocks(plan: Plan, anatomy: Anatomy) -> Plan:
    """The plan of a call that nobody had taken apart."""
    who = plan.asked.identity
    who = who if who.turn is not None else replace(who, turn=anatomy.turn)
    asked = replace(plan.asked, blocks=anatomy.blocks, identity=who)
    call = asked if plan.call is plan.asked else replace(plan.call, blocks=anatomy.blocks, identity=who)
    return replace(plan, asked=asked, call=call)
