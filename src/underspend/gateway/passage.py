"""A call on its way, and how an attempt of it ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from underspend.core.plan import Plan
from underspend.core.reply import Outcome
from underspend.gateway.asked import Asked
from underspend.gateway.carrying import Carried
from underspend.gateway.destinations import Destination
from underspend.gateway.entries import Attempt, End, Entry
from underspend.gateway.routes import Route
from underspend.gateway.routing import Look
from underspend.gateway.tap import Tap
from underspend.gateway.transport import Request, Responder, UpstreamReply

_ERRORS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Posed:
    """A call as it would be sent: `body` as edited, `target` the path and query, `to` whom it would go to.

    `began` is when its request was there, on the clock of durations.
    """

    request: Request
    asked: Asked
    plan: Plan
    body: bytes | None
    to: Destination
    target: str
    began: int
    attempt: Attempt | None = None


@dataclass(slots=True)
class Passage:
    """A call on its way. `entry` is the attempt under way, `plan` as that is sent; `body` is what was edited."""

    request: Request
    responder: Responder
    route: Route
    asked: Asked
    plan: Plan
    entry: Entry
    body: bytes | None
    to: Destination
    began: int
    answer: UpstreamReply | None = field(default=None, repr=False)
    """What the first target said, to be told to the client where no other can do better."""

    told: Carried | None = None
    """How that answer leads back."""

    redirected: bool = False
    """Whether the first target was not even asked, because it had failed often."""

    look: Look | None = None
    """What the router made of the call; None where it had nothing to do with it."""


def ended(tap: Tap, reply: UpstreamReply, *, outcome: Outcome | None = None, notes: tuple[str, ...] = ()) -> End:
    """The end of an attempt whose reply came, as far as it came."""
    metered = tap.finish()
    if outcome is None:
        broke_off = tap.stream and metered.has_usage and not metered.complete
        outcome = Outcome.ERROR if reply.status >= _ERRORS else Outcome.CUT if broke_off else Outcome.OK
    return End(
        outcome=outcome,
        status=reply.status,
        metered=metered,
        reply_bytes=tap.size,
        request_id=tap.request_id,
        reply_body=tap.body,
        notes=notes,
    )
