"""One call, explained: who asked, what the prompt was made of, every line of the bill, every decision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, or_, select

from underspend.core.errors import NotFoundError
from underspend.core.evidence import Evidence
from underspend.core.money import Money
from underspend.core.usage import Usage
from underspend.reports.anatomy import Anatomy, Piece, anatomy
from underspend.reports.entry import Entry, columns, entry
from underspend.reports.filters import OPEN, SOURCE
from underspend.stores.schema import bill_lines, blocks, calls, decisions, effects, prompts

_DIGEST = 16
_MANY = 500
_SHORTEST_PREFIX = 4
_MEND = "See `underspend top` or `underspend tail` for ids."


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A line of the bill: `rate` and `amount` in pico-dollars, the rate per token."""

    unit: int
    kind: str
    model: str
    lane: str
    tokens: int
    rate: Money
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a strategy proposed, why, whether it was done, and the estimated price before and after it."""

    strategy: str
    edit: str
    detail: str | None
    why: str
    applied: bool
    before: Money | None
    after: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Everything the ledger knows of a call.

    `facts` holds the remaining columns of its row by name. `extra` is what is billed beside the lines, in
    pico-dollars. `effects` are what each strategy saved on it, its earlier edits included. `evidence` says in words how
    the dollars are known.
    """

    entry: Entry
    facts: dict[str, Any]
    anatomy: Anatomy | None
    charges: tuple[Charge, ...]
    extra: Money
    choices: tuple[Choice, ...]
    effects: tuple[tuple[str, Money], ...]
    notes: tuple[str, ...]
    evidence: str


def explain(engine: Engine, name: str) -> Explained:
    """The call with this id, message id or request id, or the only one whose id begins so.

    Raises NotFoundError when there is none, or when a beginning fits several.
    """
    with engine.connect() as connection:
        found = _id_of(connection, name)
        row = connection.execute(select(*columns(), *_others()).select_from(SOURCE).where(calls.c.id == found))
        facts = dict(row.mappings().one())
        known = entry(facts)
        return Explained(
            entry=known,
            facts={column.name: facts[column.name] for column in _others()},
            anatomy=_anatomy(connection, found, known),
            charges=_charges(connection, found),
            extra=facts["extra_pico"],
            choices=_choices(connection, found),
            effects=_effects(connection, found),
            notes=_notes(facts["notes"]),
            evidence=how_we_know(known),
        )


def how_we_know(call: Entry) -> str:
    """A sentence on where the dollars of a call come from."""
    if call.state == OPEN:
        return "Still open: nothing is known of its cost yet."
    if call.evidence is None:
        return "No usage was reported, so nothing was billed as far as we know."
    if call.answered:
        sentence = "Answered here, with a reply that was kept: nothing was sent, and nothing billed."
        return f"{sentence} Without us it would have cost at least as much as said, by estimate."
    said = {
        Evidence.BILLED: "From the usage the provider reported in full, at the dated price list.",
        Evidence.MEASURED: "From two real worlds compared.",
        Evidence.SIMULATED: "From the simulator of the provider's prompt cache.",
        Evidence.ESTIMATED: "The reply's end was not seen: from what had been reported until then and local counts.",
    }
    sentence = said.get(Evidence(call.evidence), "")
    if call.unpriced:
        sentence += f" No price is known for {call.unpriced}, so its part is missing."
    if call.on_plan:
        sentence += " Made with a subscription: this is what API prices would have charged."
    return sentence


def _others() -> list[Any]:
    known = {column.name for column in columns()}
    return [column for column in calls.c if column.name not in known]


def _id_of(connection: Connection, name: str) -> str:
    same = or_(calls.c.id == name, calls.c.message_id == name, calls.c.request_id == name)
    exact = connection.execute(select(calls.c.id).where(same).order_by(calls.c.started_at.desc())).scalars().first()
    if exact is not None:
        return str(exact)
    if len(name) < _SHORTEST_PREFIX:
        raise NotFoundError(kind="call", name=name, mend=f"Give at least {_SHORTEST_PREFIX} characters. {_MEND}")
    begins = or_(*(calls.c[c].startswith(name, autoescape=True) for c in ("id", "message_id", "request_id")))
    found = connection.execute(select(calls.c.id).where(begins).limit(2)).scalars().all()
    if len(found) == 1:
        return str(found[0])
    mend = "Several calls begin so: give more characters." if found else _MEND
    raise NotFoundError(kind="call", name=name, mend=mend)


def _anatomy(connection: Connection, call: str, known: Entry) -> Anatomy | None:
    row = connection.execute(select(prompts).where(prompts.c.call_id == call)).mappings().one_or_none()
    if row is None:
        return None
    raw = bytes(row["digests"])
    digests = [raw[at : at + _DIGEST] for at in range(0, len(raw), _DIGEST)]
    marks = {int(index): str(ttl) for index, ttl in json.loads(row["breakpoints"]).items()}
    kept = _blocks(connection, digests)
    pieces = [_piece(kept.get(digest), marks.get(index)) for index, digest in enumerate(digests)]
    return anatomy(pieces, _prompt_usage(connection, call, known))


def _prompt_usage(connection: Connection, call: str, known: Entry) -> Usage | None:
    """The usage of the prompt as asked: of the first unit, where a reply was billed in several."""
    query = select(bill_lines.c.lane, bill_lines.c.tokens, bill_lines.c.unit).where(bill_lines.c.call_id == call)
    lines = connection.execute(query).all()
    if len({line.unit for line in lines}) <= 1:
        return known.tokens
    first = min(line.unit for line in lines)
    return Usage(**{line.lane: line.tokens for line in lines if line.unit == first})


def _blocks(connection: Connection, digests: Sequence[bytes]) -> dict[bytes, dict[str, Any]]:
    wanted = list(dict.fromkeys(digests))
    found: dict[bytes, dict[str, Any]] = {}
    for at in range(0, len(wanted), _MANY):
        query = select(blocks).where(blocks.c.digest.in_(wanted[at : at + _MANY]))
        found |= {bytes(row["digest"]): dict(row) for row in connection.execute(query).mappings()}
    return found


def _piece(row: dict[str, Any] | None, ttl: str | None) -> Piece:
    if row is None:
        return Piece(section="messages", kind="unknown", label="(no longer kept)", size=0, estimate=0, breakpoint=ttl)
    return Piece(
        section=row["section"],
        kind=row["kind"],
        label=row["label"],
        size=row["size"],
        estimate=row["tokens"],
        breakpoint=ttl,
    )


def _charges(connection: Connection, call: str) -> tuple[Charge, ...]:
    query = select(bill_lines).where(bill_lines.c.call_id == call).order_by(bill_lines.c.n)
    return tuple(
        Charge(
            unit=row["unit"],
            kind=row["kind"],
            model=row["model"],
            lane=row["lane"],
            tokens=row["tokens"],
            rate=row["rate_pico"],
            amount=row["amount_pico"],
        )
        for row in connection.execute(query).mappings()
    )


def _choices(connection: Connection, call: str) -> tuple[Choice, ...]:
    query = select(decisions).where(decisions.c.call_id == call).order_by(decisions.c.n)
    return tuple(
        Choice(
            strategy=row["strategy"],
            edit=row["edit"],
            detail=row["detail"],
            why=row["why"],
            applied=row["applied"],
            before=row["before_pico"],
            after=row["after_pico"],
        )
        for row in connection.execute(query).mappings()
    )


def _effects(connection: Connection, call: str) -> tuple[tuple[str, Money], ...]:
    query = select(effects).where(effects.c.call_id == call).order_by(effects.c.saved_pico.desc(), effects.c.strategy)
    return tuple((row.strategy, int(row.saved_pico)) for row in connection.execute(query))


def _notes(text: str | None) -> tuple[str, ...]:
    """The notes of a call: a JSON list, or one to a line."""
    if not text:
        return ()
    try:
        found = json.loads(text)
    except ValueError:
        found = text.splitlines()
    return tuple(str(note) for note in found) if isinstance(found, list) else (str(found),)
