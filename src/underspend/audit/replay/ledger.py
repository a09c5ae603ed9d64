"""Traffic from the gateway's ledger: for clients that write no transcripts.

The ledger keeps digests of a prompt's blocks, not what ties a tool's result to its use. So strategies that go by
files and commands find nothing here; those of breakpoints, lifetimes, models and lengths do. Conversations in which a
strategy had acted are set apart: what was billed is not what the client had asked.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from underspend.audit.ledger_join import TRANSCRIPT
from underspend.audit.prediction_steps import Step
from underspend.audit.replay.conversations import Recorded
from underspend.audit.replay.traffic import Traffic, traffic_of
from underspend.audit.replay.undisturbed import undisturbed
from underspend.core.call import Block, Call, Identity, Role, Section
from underspend.core.history import Answered, Place, Timeline
from underspend.core.reply import Outcome
from underspend.core.usage import Metered, Unit, Usage
from underspend.formats.tool_uses import verb_of
from underspend.pricing.catalogue import Catalogue, catalogue
from underspend.pricing.cost import cost
from underspend.stores.schema import LANE_TOKENS, blocks, calls, decisions, prompts

_DIGEST = 16
_MANY = 500
_RESULT = " result"
_SAID = frozenset({"tool_use", "server_tool_use", "mcp_tool_use", "thinking", "redacted_thinking"})

Key = tuple[str, ...]


def ledger_traffic(engine: Engine, prices: Catalogue | None = None, *, since: int | None = None) -> Traffic:
    """The gateway's calls that kept their prompts. What was sent before `since` (µs) is replayed, but not counted.

    Calls without a prompt on record, and those of conversations that were edited, are set apart at what they cost.
    """
    known = prices or catalogue()
    with undisturbed(), engine.connect() as connection:
        rows = _rows(connection)
        edited = set(connection.execute(select(decisions.c.call_id).where(decisions.c.applied)).scalars())
        shelf = _shelf(connection, rows)
        talks: dict[Key, list[tuple[Any, list[Block]]]] = defaultdict(list)
        apart = [row for row in rows if row.digests is None or not _as_billed(row, known)]
        left = {row.id for row in apart}
        for row in rows:
            if row.id not in left:
                found = _blocks(row, shelf)
                talks[_conversation(row, found)].append((row, found))
        touched = {key for key, each in talks.items() if any(row.id in edited for row, _ in each)}
        apart += [row for key in touched for row, _ in talks[key]]
        whole = [each for key, each in talks.items() if key not in touched]
        made = traffic_of([one for number, each in enumerate(whole) for one in _talk(each, number)], known, since=since)
    _set_apart(made, apart, since)
    return made


def _rows(connection: Connection) -> Sequence[Any]:
    """The gateway's settled message calls with what they were billed, the oldest first; without those answered here."""
    query = (
        select(calls, prompts.c.digests, prompts.c.breakpoints)
        .join_from(calls, prompts, prompts.c.call_id == calls.c.id, isouter=True)
        .where(calls.c.endpoint != TRANSCRIPT, calls.c.state == "settled")
        .where(func.coalesce(calls.c.outcome, "") != Outcome.ANSWERED.value)
        .order_by(calls.c.started_at, calls.c.id)
    )
    return connection.execute(query).all()


def _shelf(connection: Connection, rows: Iterable[Any]) -> dict[bytes, Block]:
    """What is known of each block of these prompts."""
    wanted = {digest for row in rows if row.digests for digest in _digests(row)}
    names, found = sorted(wanted), dict[bytes, Block]()
    for at in range(0, len(names), _MANY):
        for row in connection.execute(select(blocks).where(blocks.c.digest.in_(names[at : at + _MANY]))):
            found[row.digest] = Block(Section(row.section), row.kind, row.label, row.digest, row.size, row.tokens)
    return found


def _digests(row: Any) -> list[bytes]:
    return [row.digests[at : at + _DIGEST] for at in range(0, len(row.digests), _DIGEST)]


def _blocks(row: Any, shelf: dict[bytes, Block]) -> list[Block]:
    """A prompt's blocks with their messages, roles and tools, as far as kinds and labels tell."""
    found, message, role = [], -1, ""
    for digest in _digests(row):
        block = shelf.get(digest) or Block(Section.MESSAGES, "text", "user", digest, 0, 0)
        if block.section is Section.MESSAGES:
            now = "assistant" if block.kind in _SAID or block.label == "assistant" else "user"
            message, role = (message + (now != role), now)
            tool = block.label.removesuffix(_RESULT)
            is_tool = block.kind.endswith(("tool_use", "tool_result"))
            block = replace(block, message=message, role=role, verb=verb_of(tool) if is_tool else None)
        found.append(block)
    return found


def _conversation(row: Any, found: Sequence[Block]) -> Key:
    """Calls of one session and agent; without a session, calls that begin with the same first message."""
    if row.session:
        return ("session", row.session, row.agent or "")
    first = next((at for at, block in enumerate(found) if block.section is Section.MESSAGES), len(found) - 1)
    return ("prompt", row.key or "", *(block.digest.hex() for block in found[: first + 1]))


def _as_billed(row: Any, prices: Catalogue) -> bool:
    """Whether the row's lanes alone account for its bill: then they can be priced again."""
    usage = Usage(*(int(row._mapping[name]) for name in LANE_TOKENS))  # noqa: SLF001  # SQLAlchemy's public name
    if not usage.prompt:
        return False
    return cost(_metered(row, usage), at=row.started_at, catalogue=prices).total == int(row.cost_pico)


def _metered(row: Any, usage: Usage) -> Metered:
    return Metered(
        provider=row.provider,
        model=row.model_served or row.model_sent or row.model_asked,
        units=(Unit("message", usage),),
        reported=usage,
        message_id=row.message_id or row.id,
        stop_reason=row.stop_reason,
        thinking_tokens=row.thinking_tokens,
        web_searches=row.web_searches,
    )


@dataclass(slots=True)
class _Earlier:
    """The blocks of a conversation's call before, as given and as weighed."""

    given: Sequence[Block] = ()
    base: tuple[Block, ...] = ()


def _talk(each: Sequence[tuple[Any, list[Block]]], number: int) -> Iterator[Recorded]:
    before = _Earlier()
    row = each[0][0]
    agent = row.agent or (row.agent_type and "agent")
    line = Timeline(session=row.session or "", project=row.project or "", agent=agent, agent_type=row.agent_type)
    for row, found in each:
        usage = Usage(*(int(row._mapping[name]) for name in LANE_TOKENS))  # noqa: SLF001  # SQLAlchemy's public name
        base, shared = _weighed(found, before, usage.prompt)
        before = _Earlier(found, base)
        marks = tuple(sorted((int(at), str(ttl)) for at, ttl in json.loads(row.breakpoints).items()))
        yield Recorded(
            step=_step(line, number, row, usage),
            call=_call(row, base, marks, usage),
            base=base,
            marks=marks,
            shared=shared,
            row=number,
        )


def _weighed(found: Sequence[Block], before: _Earlier, prompt: int) -> tuple[tuple[Block, ...], int]:
    """The blocks with tokens that add up to the billed prompt; those of the call before keep theirs."""
    shared = 0
    while shared < min(len(found), len(before.given)) and found[shared].digest == before.given[shared].digest:
        shared += 1
    kept = before.base[:shared]
    room = prompt - sum(block.tokens for block in kept)
    if room < 0 or (room and shared == len(found)):
        kept, shared, room = (), 0, prompt
    new = found[shared:]
    guesses = [0 if block.kind == "deferred_tool" else max(block.tokens, 1) for block in new]
    total, left, made = max(sum(guesses), 1), room, list(kept)
    for number, (block, guess) in enumerate(zip(new, guesses, strict=True), start=1):
        tokens = left if number == len(new) else room * guess // total
        left -= tokens
        made.append(replace(block, tokens=tokens))
    return tuple(made), shared


def _step(line: Timeline, number: int, row: Any, usage: Usage) -> Step:
    answered = Answered(
        message_id=row.message_id or row.id,
        at=row.started_at + (row.first_byte_us or 0),
        place=Place(file="Underspend's ledger", line=0),
        metered=_metered(row, usage),
        effort=row.effort,
        turn=row.turn,
    )
    return Step(
        line=line, row=number, reply=answered, earlier=None, between=[], start=row.started_at, unit=0, usage=usage
    )


def _call(row: Any, base: tuple[Block, ...], marks: Sequence[tuple[int, str]], usage: Usage) -> Call:
    marked = list(base)
    for at, ttl in marks:
        marked[at] = replace(base[at], breakpoint=ttl)
    role = Role(row.role) if row.role in set(Role) else Role.UNKNOWN
    return Call(
        id=row.id,
        time=row.started_at,
        provider=row.provider,
        endpoint=row.endpoint,
        model=row.model_served or row.model_sent or row.model_asked or "",
        stream=bool(row.stream),
        max_output=row.max_output or 0,
        prompt_tokens=usage.prompt,
        prompt_ceiling=usage.prompt,
        size=row.request_bytes or 0,
        effort=row.effort,
        kind=row.agent_type or role.value,
        identity=Identity(
            session=row.session,
            agent=row.agent,
            agent_type=row.agent_type,
            role=role,
            turn=row.turn,
            project=row.project,
            key=row.key,
        ),
        blocks=tuple(marked),
    )


def _set_apart(made: Traffic, rows: Iterable[Any], since: int | None) -> None:
    for row in rows:
        if row.cost_pico and (since is None or row.started_at >= since):
            key = (row.project or "", row.session or "")
            made.apart[key] = made.apart.get(key, 0) + row.cost_pico
