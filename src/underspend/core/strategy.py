"""The interface of a strategy: one pure file that acts, finds and predicts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from underspend.core.call import Call
from underspend.core.context import Context
from underspend.core.edits import Edit
from underspend.core.glance import Glance
from underspend.core.reply import Reply


class State(StrEnum):
    """`shadow` decides, prices and records, but changes nothing."""

    OFF = "off"
    SHADOW = "shadow"
    ON = "on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy(ABC):
    """A frozen dataclass whose fields are its settings in `[strategies.<name>]`.

    Only `decide` must be written. It is a pure function of its arguments: it may not await, read a clock or open a
    socket (the type checker and the import contracts hold it to that). `edits` is False for one that never changes a
    call (a limit): its calls need not be taken apart. One that `keeps_meaning` cannot alter what the model is asked;
    those are on unless told otherwise. All others only show what they would do until the user turns them on.
    """

    name: ClassVar[str]
    edits: ClassVar[bool] = True
    keeps_meaning: ClassVar[bool] = False
    default_state: ClassVar[State] = State.SHADOW

    def may_act_on(self, glance: Glance) -> bool:  # noqa: ARG002  # one that cannot tell says so by silence
        """Whether it could edit a call of which no more is known: a call is taken apart before it is sent for those."""
        return True

    @abstractmethod
    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """The edits this strategy proposes, in order; none leaves the call as it is."""

    def learn(self, call: Call, reply: Reply, ctx: Context) -> None:  # noqa: B027  # optional by design
        """Take in how the call ended. Called once per call, after settlement; may not change the reply."""
