"""The response cache as the gateway uses it: `look` before a call is forwarded, `keep` once its reply is whole.

A reply is kept and given again byte for byte, its content coding undone: with its own id, its own usage, its own
request id. Nothing in it is made up, and whoever counts by id counts it once. What it costs is the ledger's to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from underspend.core.call import Identity
from underspend.core.money import Money
from underspend.core.replies import (
    SECOND,
    Asked,
    ReplyStore,
    ReplyStoreError,
    Rules,
    StoredReply,
    Wish,
    reason_not_to_answer,
    reason_not_to_keep,
)
from underspend.core.usage import Usage
from underspend.formats.reply_ends import ended
from underspend.formats.reply_key import Question

_REST = 10 * SECOND
Headers = list[tuple[bytes, bytes]]


class _Content(msgspec.Struct, frozen=True, array_like=True):
    body: bytes
    content_type: str
    request_id: str | None
    usage: tuple[int, int, int, int, int]


_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(_Content).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A reply as it came. `body` is whole and its content coding undone; `usage` and `cost` are what was billed."""

    status: int
    content_type: str
    body: bytes = field(repr=False)
    model: str = ""
    request_id: str | None = None
    usage: Usage = field(default_factory=Usage)
    cost: Money = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A kept reply for a call. `age` is in microseconds; `usage` and `cost` are of the call it was once billed for."""

    key: bytes
    reply: Finished
    age: int

    @property
    def headers(self) -> Headers:
        """The reply's head: what it was, and that it comes from the cache. Of the rest nothing holds any more."""
        reply = self.reply
        made = [(b"content-type", reply.content_type.encode("latin-1", "replace"))]
        if reply.request_id is not None:
            made.append((b"request-id", reply.request_id.encode("latin-1", "replace")))
        if "event-stream" in reply.content_type:
            made.append((b"cache-control", b"no-cache"))
        else:
            made.append((b"content-length", str(len(reply.body)).encode()))
        made.append((b"age", str(self.age // SECOND).encode()))
        made.append((b"x-underspend-cache", f"hit; id={self.key.hex()[:12]}".encode()))
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A call that has no kept reply yet: to be handed to `keep` with the reply that comes."""

    question: Question
    dialect: str
    tenant: str
    wish: Wish
    clears: int


@dataclass(frozen=True, slots=True)
class Passed:
    """A call that the cache has no part in, and why."""

    why: str


def asked_of(question: Question, *, endpoint: str, tenant: str, identity: Identity) -> Asked:
    """What the rules go by in a call."""
    return Asked(
        endpoint=endpoint,
        tenant=tenant,
        role=identity.role,
        billing=identity.billing,
        varied=question.varied,
        outside=question.outside,
        safety=question.safety,
        output=question.output,
    )


class ReplyCache:
    """Answers calls from a store, as far as the rules allow.

    A store that fails is left alone for ten seconds, so that calls do not wait for it one by one.
    """

    def __init__(self, store: ReplyStore, rules: Rules) -> None:
        self.store = store
        self.rules = rules
        self._resting_until = 0

    async def look(
        self, question: Question, asked: Asked, wish: Wish, *, dialect: str, now: int
    ) -> Answer | Ticket | Passed:
        """The kept reply of a call; else a ticket to keep the reply that comes; else why neither may be.

        Raises ReplyStoreError once when the store fails: the call then goes on without.
        """
        why = reason_not_to_answer(asked, self.rules)
        if why is not None or now < self._resting_until:
            return Passed(why or "the store failed a moment ago")
        try:
            found = await self.store.get(question.key, asked.tenant, now)
        except ReplyStoreError:
            self._resting_until = now + _REST
            raise
        answer = _answer(found.row, now) if found.row is not None and not wish.refresh else None
        if answer is not None:
            return answer
        return Ticket(question=question, dialect=dialect, tenant=asked.tenant, wish=wish, clears=found.clears)

    async def keep(self, ticket: Ticket, reply: Finished, *, now: int) -> str | None:
        """Keeps the reply to a call; returns why it was not kept, None where it was. Raises ReplyStoreError.

        To be called only for a reply that was passed on to its end.
        """
        stream = "event-stream" in reply.content_type
        end = ended(reply.body, status=reply.status, stream=stream, dialect=ticket.dialect)
        if stream != ticket.question.stream:
            return "it is not of the kind that was asked for"
        why = reason_not_to_keep(end, self.rules)
        if why is not None or now < self._resting_until:
            return why or "the store failed a moment ago"
        try:
            kept = await self.store.put(_row(ticket, reply, now), ticket.clears)
        except ReplyStoreError:
            self._resting_until = now + _REST
            raise
        return None if kept else "the cache was cleared meanwhile, or it is larger than the cache"


def content_of(row: StoredReply) -> Finished | None:
    """The reply in an opened row; None where it holds none."""
    try:
        content = _decode(row.body)
    except msgspec.MsgspecError:
        return None
    return Finished(
        status=200,
        content_type=content.content_type,
        body=content.body,
        model=row.model,
        request_id=content.request_id,
        usage=Usage(*content.usage),
        cost=row.cost,
    )


def body_of(reply: Finished) -> bytes:
    """A reply as a row's body, to be read by `content_of`."""
    used = reply.usage
    lanes = (used.input, used.cache_write_5m, used.cache_write_1h, used.cache_read, used.output)
    return _encode(_Content(reply.body, reply.content_type, reply.request_id, lanes))


def _answer(row: StoredReply, now: int) -> Answer | None:
    reply = content_of(row)
    return Answer(key=row.key, reply=reply, age=max(0, now - row.kept_at)) if reply is not None else None


def _row(ticket: Ticket, reply: Finished, now: int) -> StoredReply:
    return StoredReply(
        key=ticket.question.key,
        tenant=ticket.tenant,
        kept_at=now,
        expires_at=now + ticket.wish.ttl,
        body=body_of(reply),
        model=reply.model,
        tags=ticket.wish.tags,
        cost=reply.cost,
    )
