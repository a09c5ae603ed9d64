"""Answering calls without the provider: with the reply kept from an equal call, or from a question alike.

Only calls that were opted in, by the header `x-underspend-cache` or a route of the settings. What is looked up is the
call as it would be sent, edits made; what is kept is the reply as the client got it, in the client's own dialect.
Whatever fails here is recorded, and the call goes on to the provider.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from weakref import WeakValueDictionary

import msgspec

from underspend.core.faq import FaqMode
from underspend.core.replies import ENDPOINTS, SECOND, CacheRoute, ReplyStoreError, Wish, wish_of
from underspend.core.reply import Outcome, Reply
from underspend.core.usage import Usage
from underspend.formats.reply_key import Question, Questions
from underspend.gateway import answered
from underspend.gateway.answered import CACHE, FAQ, Given
from underspend.gateway.books import Books
from underspend.gateway.clock import elapsed_us
from underspend.gateway.credentials import KeyHasher
from underspend.gateway.holdout import NOBODY, Holdout
from underspend.gateway.passage import Passage, Posed
from underspend.gateway.recorder import Recorder
from underspend.gateway.transport import RawHeaders, Responder
from underspend.providers.provider import ANTHROPIC
from underspend.stores.faq.answers import Alike, Faq
from underspend.stores.replies.cache import Answer, Finished, Passed, ReplyCache, Ticket, asked_of

_HEADER, _SAYS = "x-underspend-cache", b"x-underspend-cache"
_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"})
_REST = 10 * SECOND
_KINDS = 100
_MOMENT = 0.1
_LONGEST = 200


@dataclass(slots=True, weakref_slot=True, eq=False)
class Waiting:
    """A call that was opted in and goes to the provider. `recorder` is where its reply is to go.

    `ticket` is None where its reply may not be kept. `clears` is the FAQ's count at the time, None where the call is
    no question for it; with `shadow` what it would have answered is looked up once the reply is out. `done` is set when
    its reply is kept, or was found not to be worth it.
    """

    recorder: Recorder
    ticket: Ticket | None = None
    clears: int | None = None
    shadow: bool = False
    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, kw_only=True)
class Answers:
    """The response cache and the FAQ of one gateway.

    `keys` tells callers apart. A learned answer holds for `learned_for` µs at most. `counts` are calls by what became
    of them, in words.
    """

    cache: ReplyCache
    books: Books
    keys: KeyHasher
    routes: Sequence[CacheRoute] = ()
    faq: Faq | None = None
    learned_for: int = 0
    holdout: Holdout = NOBODY
    counts: Counter[str] = field(default_factory=Counter)
    _questions: Questions = field(default_factory=Questions)
    _faq_rests_until: int = 0
    _under_way: WeakValueDictionary[bytes, Waiting] = field(default_factory=WeakValueDictionary)

    async def look(self, posed: Posed, responder: Responder) -> Waiting | bool:
        """Answers a call, where there is an answer: True then, and it is written down.

        Else what is to be done with the reply of the provider; False where the call was not opted in.
        """
        said = posed.request.fields.get(_HEADER)
        if (said is None and not self.routes) or posed.asked.endpoint not in ENDPOINTS:
            return False
        return await self._looked(posed, responder, said)

    async def keep(self, waiting: Waiting, passage: Passage, reply: Reply) -> None:
        """Keeps the reply that a call got, where it may be: to be called when the reply is out."""
        ticket = waiting.ticket
        if ticket is None:
            return
        kept: Finished | str = ""
        try:
            kept = await self._kept(waiting, ticket, passage, reply)
            self._count(f"not kept: {kept}" if isinstance(kept, str) else "kept")
        except Exception as error:  # noqa: BLE001  # fail open: the next equal call is asked again
            self._failed("cache", error)
        finally:
            waiting.done.set()
        if self.faq is None or waiting.clears is None:
            return
        if waiting.shadow:
            await self._observed(self.faq, ticket)
        if isinstance(kept, Finished):
            await self._learned(self.faq, ticket, kept, waiting.clears)

    async def close(self) -> None:
        """Lets go of the stores."""
        await self.cache.store.close()
        if self.faq is not None:
            await self.faq.close()

    def snapshot(self) -> dict[str, int]:
        """What became of the calls that were opted in, the most frequent first."""
        return dict(self.counts.most_common())

    async def _looked(self, posed: Posed, responder: Responder, said: str | None) -> Waiting | bool:
        try:
            wish = self._wish(posed, said)
        except ValueError as error:
            self._count("passed: the header x-underspend-cache cannot be read")
            return Waiting(Recorder(responder, _says(f"pass; {error}"), most=0))
        if wish is None:
            return False
        try:
            found = await self._found(posed, self._question(posed), wish)
        except Exception as error:  # noqa: BLE001  # fail open: the provider answers then
            self._failed("cache", error)
            found = Passed("the store failed")
        if isinstance(found, Answer):
            self._count("hits")
            await self._give(posed, responder, found.headers, _given(posed, found))
            return True
        if isinstance(found, Passed):
            self._count(f"passed: {found.why}")
            return Waiting(Recorder(responder, _says(f"pass; {found.why}"), most=0))
        return await self._alike(posed, responder, found)

    def _wish(self, posed: Posed, said: str | None) -> Wish | None:
        asked = posed.asked
        identity = asked.call.identity
        project, key = identity.project, identity.key
        return wish_of(said, self.routes, self.cache.rules, project=project, model=asked.named, key=key)

    def _question(self, posed: Posed) -> Question | None:
        """The call as it would be sent, and all that could tell it from another that is sent in the same bytes."""
        asked, call, to = posed.asked, posed.plan.call, posed.to
        raw = hashlib.sha256(asked.raw or b"").hexdigest() if asked.exchange is not None else ""
        shown = [value.decode("latin-1") for name, value in posed.request.headers if name in _CREDENTIALS]
        goes = [to.name, to.provider.url, to.home, call.provider, call.model, asked.dialect, raw]
        return self._questions.read(
            posed.body or b"",
            tenant=self.keys.digest(shown),
            provider=msgspec.json.encode(goes).decode(),
            dialect=ANTHROPIC if asked.message is not None else asked.dialect,
            target=posed.target,
            headers=posed.request.headers,
        )

    async def _found(self, posed: Posed, question: Question | None, wish: Wish) -> Answer | Ticket | Passed:
        if question is None:
            return Passed("it cannot be read beyond doubt")
        identity = posed.asked.call.identity
        if self.holdout.holds(identity.session):
            return Passed("its session is left alone, to compare the others with")
        asked = asked_of(question, endpoint=posed.asked.endpoint, tenant=identity.key or "", identity=identity)
        dialect, clock = posed.asked.dialect, self.books.clock
        earlier = self._under_way.get(question.key)
        if earlier is not None and earlier.recorder.told and not earlier.done.is_set():
            # The client that got this reply may ask again before the store has it.
            with suppress(TimeoutError):
                async with asyncio.timeout(_MOMENT):
                    await earlier.done.wait()
        return await self.cache.look(question, asked, wish, dialect=dialect, now=clock.now())

    async def _alike(self, posed: Posed, responder: Responder, ticket: Ticket) -> Waiting | bool:
        """Ask the FAQ, where the cache has nothing; in shadow only once the provider's reply is out."""
        self._count("misses")
        waiting = Waiting(Recorder(responder, _missed(ticket), most=self.cache.rules.largest), ticket)
        self._under_way[ticket.question.key] = waiting
        faq, now = self.faq, self.books.clock.now()
        if faq is None or now < self._faq_rests_until or not _is_for_faq(posed, ticket):
            return waiting
        try:
            alike = None
            waiting.shadow = (await faq.standing()).mode is not FaqMode.ON
            if not waiting.shadow and not ticket.wish.refresh:
                alike = await faq.look(ticket.question, tenant=ticket.tenant, now=now)
            waiting.clears = await faq.store.clears()
        except Exception as error:  # noqa: BLE001  # fail open: the provider answers then
            self._faq_rests_until = now + _REST
            self._failed("faq", error)
            return waiting
        if alike is None or not alike.served:
            return waiting
        self._count("answered as alike")
        await self._give(posed, responder, alike.headers, _given_alike(posed, alike))
        return True

    async def _give(self, posed: Posed, responder: Responder, head: RawHeaders, given: Given) -> None:
        """The answer to the client, and the call to the books, however far the client listens."""
        whole, found = False, elapsed_us() - posed.began
        try:
            await responder.start(200, _named(head, posed.asked.dialect))
            await responder.write(given.body)
            await responder.end()
            whole = True
        finally:
            made = replace(given, found_us=found, took_us=elapsed_us() - posed.began, whole=whole)
            answered.write(self.books, posed.plan, made, request=posed.asked.raw)
            if self.books.acting is not None and posed.asked.followed:
                self.books.acting.answered(posed.asked.call)

    async def _kept(self, waiting: Waiting, ticket: Ticket, passage: Passage, reply: Reply) -> Finished | str:
        """Keep a reply; in words why not, where it is not kept."""
        if passage.redirected or passage.entry.row.get("attempt_of") is not None:
            return "another answered in place of whom was asked"
        metered = reply.metered
        if reply.outcome is not Outcome.OK or (metered is not None and metered.served_model != metered.model):
            return "it is not whole, or of another model than was asked"
        heard = waiting.recorder.heard()
        if heard is None:
            return "it is too large, or did not come to its end"
        finished = Finished(
            status=heard.status,
            content_type=heard.content_type,
            body=heard.body,
            model=(metered.model if metered is not None else None) or passage.plan.call.model,
            request_id=heard.request_id,
            usage=metered.usage if metered is not None else Usage(),
            cost=reply.bill.total,
        )
        return await self.cache.keep(ticket, finished, now=self.books.clock.now()) or finished

    async def _learned(self, faq: Faq, ticket: Ticket, finished: Finished, clears: int) -> None:
        ttl, now = min(self.learned_for, ticket.wish.ttl), self.books.clock.now()
        about = {"ttl": ttl, "now": now, "clears": clears}
        try:
            await faq.learn(ticket.question, finished, tenant=ticket.tenant, instead=ticket.wish.refresh, **about)
        except Exception as error:  # noqa: BLE001  # fail open: nothing is learned of this call
            self._failed("faq", error)

    async def _observed(self, faq: Faq, ticket: Ticket) -> None:
        """Write down what the FAQ would have answered."""
        now = self.books.clock.now()
        try:
            if now >= self._faq_rests_until:
                await faq.look(ticket.question, tenant=ticket.tenant, now=now)
        except Exception as error:  # noqa: BLE001  # fail open: only a note is lost
            self._faq_rests_until = now + _REST
            self._failed("faq", error)

    def _failed(self, what: str, error: Exception) -> None:
        said = str(error) if isinstance(error, ReplyStoreError) else f"{type(error).__name__}: {error}"
        self.books.status.fault(what, said)

    def _count(self, what: str) -> None:
        self.counts[what if what in self.counts or len(self.counts) < _KINDS else "others"] += 1


def _is_for_faq(posed: Posed, ticket: Ticket) -> bool:
    """Whether a call is one question, of a client that speaks as the answers are kept."""
    return bool(ticket.question.asks) and posed.asked.dialect == ANTHROPIC and posed.asked.exchange is None


def _given(posed: Posed, found: Answer) -> Given:
    return _as_given(
        posed,
        found.reply,
        by=CACHE,
        detail=f"reply {found.key.hex()[:12]}, kept {found.age // SECOND:,} s before",
        why="an equal call had been answered with it",
    )


def _given_alike(posed: Posed, alike: Alike) -> Given:
    percent = alike.score / 10_000
    return _as_given(
        posed,
        alike.reply,
        by=FAQ,
        detail=f"answer {alike.entry}, as hit {alike.hit} of the FAQ",
        why=f"the question is {percent:.1f} % alike",
    )


def _as_given(posed: Posed, reply: Finished, *, by: str, detail: str, why: str) -> Given:
    provider, call = posed.to.provider, posed.plan.call
    return Given(
        by=by,
        detail=detail,
        why=why,
        model=reply.model or call.model,
        usage=reply.usage,
        body=reply.body,
        regional=not posed.to.home and provider.is_regional(provider.model_id(call.model)),
        columns=posed.attempt.columns() if posed.attempt is not None else {},
    )


def _missed(ticket: Ticket) -> RawHeaders:
    word = "refresh" if ticket.wish.refresh else "miss"
    return _says(f"{word}; id={ticket.question.key.hex()[:12]}; ttl={ticket.wish.ttl // SECOND}")


def _says(text: str) -> RawHeaders:
    """Our header, whatever the text came from."""
    plain = "".join(each if each.isascii() and each.isprintable() else "?" for each in text)
    return [(_SAYS, plain[:_LONGEST].encode())]


def _named(head: RawHeaders, dialect: str) -> RawHeaders:
    """The head of an answer; other dialects than Anthropic's call a request's id by another name."""
    if dialect == ANTHROPIC:
        return head
    return [(b"x-request-id" if name == b"request-id" else name, value) for name, value in head]
