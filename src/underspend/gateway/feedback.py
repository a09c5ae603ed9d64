"""`POST /feedback`: the user's own word on how a call went, {"call": id, "score": 0 to 1, or "good" or "bad"}.

A `comment` is welcome and not stored. A call is judged once: the same or another word for it later changes nothing.
"""

from __future__ import annotations

import asyncio

import msgspec
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from underspend.formats.lenient import obj
from underspend.gateway import refusals
from underspend.gateway.results import Task
from underspend.gateway.routing import Router
from underspend.gateway.telling import respond
from underspend.gateway.transport import BodyTooLargeError, Request, Responder
from underspend.routing.beliefs import Arm
from underspend.stores.schema import calls

_LARGEST = 64 * 1024
_WORDS = {"good": 1.0, "bad": 0.0}
_DIALECT = "anthropic"


class Feedback:
    """Takes feedback for calls that the router knows of, or that are in the ledger."""

    def __init__(self, router: Router | None, engine: Engine | None = None) -> None:
        self._router = router
        self._engine = engine

    async def handle(self, request: Request, responder: Responder) -> None:
        """Answer one request: 200 with whether it was counted, 404 for an unknown call, 400 for no feedback."""
        try:
            said = obj(msgspec.json.decode(await request.body(_LARGEST)))
        except (msgspec.DecodeError, BodyTooLargeError):
            said = {}
        call, score = said.get("call"), score_of(said.get("score"))
        if not isinstance(call, str) or not call or score is None:
            problem = 'feedback is {"call": id, "score": a number from 0 to 1, or "good" or "bad"}'
            await refusals.not_carried(responder, 400, problem, dialect=_DIALECT)
            return
        router, task = self._router, await self._task(call)
        if router is None or task is None:
            await refusals.not_carried(responder, 404, f"no call {call!r} is known", dialect=_DIALECT)
            return
        is_counted = not router.learning.is_told(call)
        if is_counted:
            router.learning.tell(call, score)
            router.learning.learn(task.result(score, 1.0))
        await respond(responder, {"call": call, "counted": is_counted})

    async def _task(self, call: str) -> Task | None:
        """The task of a call: as the router knows it, else what the ledger knows; None for an unknown call."""
        known = self._router.tasks.of_call(call) if self._router is not None else None
        if known is not None or self._engine is None:
            return known
        try:
            return await asyncio.to_thread(_task_in, self._engine, call)
        except SQLAlchemyError:
            return None


def _task_in(engine: Engine, call: str) -> Task | None:
    """A call in the ledger as a task; its class is the kind of its caller, since nobody classed it."""
    with engine.connect() as connection:
        row = connection.execute(select(calls).where(calls.c.id == call)).mappings().one_or_none()
    if row is None:
        return None
    arm = Arm(str(row["model_served"] or row["model_sent"] or ""), row["effort"], str(row["provider"]))
    name = f"sub-agent/{row['agent_type']}" if row["agent_type"] else str(row["role"] or "other")
    cost, at = int(row["cost_pico"]), int(row["started_at"])
    return Task(name=name, features=(), arm=arm, instead_of=arm, lasts=False, cost=cost, at=at)


def score_of(said: object) -> float | None:
    """A score from 0 to 1; None for what is none."""
    if isinstance(said, str):
        return _WORDS.get(said.strip().lower())
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said <= 1:
        return None
    return float(said)
