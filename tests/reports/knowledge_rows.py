"""Knowledge as a gateway leaves it in its ledger."""

from __future__ import annotations

from sqlalchemy import Engine, insert

from underspend.routing.beliefs import Arm, Result
from underspend.routing.knowledge import Knowledge
from underspend.stores.schema import routing

OPUS, HAIKU = Arm("claude-opus-5-5"), Arm("claude-haiku-5-5")


def learned(*, drawn: int = 0) -> Knowledge:
    """Thirty results of two models in a class; `drawn` more that both did, put to the cheap one by chance."""
    knowledge = Knowledge()
    for number in range(30):
        for arm, cost in ((OPUS, 300_000_000_000), (HAIKU, 10_000_000_000)):
            quality = float(number % 10 != 0)
            knowledge.learn(Result(task="code generation", arm=arm, quality=quality, cost=cost, at=number))
    for number in range(drawn):
        day = number * 86_400_000_000 // 50
        knowledge.learn(
            Result(
                task="code generation",
                arm=HAIKU,
                quality=1.0,
                cost=1,
                at=day,
                randomised=True,
                paired=1.0,
                instead_of=OPUS,
            )
        )
    return knowledge


def keep(engine: Engine, knowledge: Knowledge) -> None:
    """Write it down."""
    with engine.begin() as connection:
        connection.execute(insert(routing), [row._asdict() for row in knowledge.rows()])
