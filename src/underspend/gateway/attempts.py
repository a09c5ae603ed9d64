"""Sending a call: to where it was planned to go and, where that does not answer, to those named after it.

A client that tries again itself gets the upstream's answer: only another target is ever tried here, only for what
says that the target is overloaded, limited or gone, and never once a byte of a reply is on its way. Each attempt is a
row of its own in the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from dataclasses import dataclass, replace

from underspend.core.call import Call
from underspend.core.edits import Edit, SetEffort, SetModel
from underspend.core.errors import CannotCarryError, ConfigError
from underspend.core.plan import Plan
from underspend.core.reply import Outcome
from underspend.formats import anthropic_edits
from underspend.formats.adaptation import refused_for_us
from underspend.gateway import headers, refusals, telling
from underspend.gateway.acting import Acting
from underspend.gateway.asked import Asked
from underspend.gateway.books import Books
from underspend.gateway.capped import ReachedCapError
from underspend.gateway.carrying import Carried, Carrier
from underspend.gateway.circuits import Circuits
from underspend.gateway.clock import elapsed_us
from underspend.gateway.destinations import Candidate, Destination, Destinations, sent_to
from underspend.gateway.entries import Attempt, End, new_id
from underspend.gateway.gating import Gate
from underspend.gateway.passage import Passage, ended
from underspend.gateway.passing import again, as_events, pass_back, pass_on, whole
from underspend.gateway.retry_after import seconds_in
from underspend.gateway.routes import target_of
from underspend.gateway.routing import Look, Router
from underspend.gateway.status import Status
from underspend.gateway.tap import AT_HOME, Billing, Tap
from underspend.gateway.transport import (
    RawHeaders,
    UpstreamCutError,
    UpstreamReply,
    UpstreamUnreachableError,
)
from underspend.pricing.forecast import Forecast

_ERRORS = 400
_OURS = frozenset({400, 404})
_MODEL_EDITS = (SetModel, SetEffort)
_TRY_ANOTHER = frozenset({408, 429})
_SERVERS_FAULT = range(500, 600)
_LONGEST_ERROR = 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Attempts:
    """Makes the attempts of calls."""

    books: Books
    destinations: Destinations
    carrier: Carrier
    circuits: Circuits
    forecast: Forecast
    status: Status
    gate: Gate | None = None
    router: Router | None = None
    acting: Acting | None = None

    @staticmethod
    def home_of(look: Look | None, call: Call) -> Call | None:
        """The call as its client meant it, where the router chose the model; None where it did not."""
        if look is None or look.routing is None:
            return None
        home = look.routing.instead_of
        return replace(call, model=home.model, provider=home.provider, effort=home.effort or look.call.effort)

    def candidates(self, asked: Asked, call: Call, to: Destination) -> list[Candidate]:
        """Whom to ask for a call, in order. Calls of a subscription, and those not read, have only one to ask."""
        only = Candidate(to=to, model=call.model)
        if asked.raw is None or asked.login:
            return [only]
        return [only, *self.destinations.after(asked.named, call, to)]

    async def forward(self, passage: Passage) -> End:
        """Send the call and pass the reply on. The end is the last attempt's; those before it are settled.

        Raises OverBudgetError where a budget stops the next attempt.
        """
        if self.destinations.plain and passage.asked.chat is None:
            return await self._only(passage, None)
        call = passage.plan.call
        candidates = self.candidates(passage.asked, call, passage.to)
        if len(candidates) == 1:
            return await self._only(passage, candidates[0])
        open_to = [each for each in candidates if self.circuits.enter(_circuit(passage, each))]
        for key in (_circuit(passage, each) for each in open_to[1:]):
            self.circuits.left(key)
        candidates = open_to or candidates[:1]
        if candidates[0].to is not passage.to or candidates[0].model != call.model:
            self._redirect(passage, candidates[0])
        return await self._chain(passage, candidates)

    @staticmethod
    def _redirect(passage: Passage, candidate: Candidate) -> None:
        """Begin with another than the first of a chain, whose circuit is open."""
        entry = passage.entry
        call = sent_to(passage.plan.call, candidate)
        passage.redirected = True
        passage.plan = entry.plan = Plan(asked=call, call=call)
        entry.row.update(upstream=candidate.to.host, provider=call.provider, model_sent=call.model)

    async def _only(self, passage: Passage, candidate: Candidate | None) -> End:
        try:
            reply, carried = await self._asked_for_real(passage, candidate)
        except UpstreamUnreachableError as error:
            return await self._unreachable(passage, error)
        except (CannotCarryError, ConfigError, ValueError) as error:
            return await self._not_carried(passage, error)
        return await self._pass(passage, reply, carried)

    async def _chain(self, passage: Passage, candidates: list[Candidate]) -> End:
        """Ask one after the other until one answers."""
        end = End(outcome=Outcome.UNREACHABLE)
        for number, candidate in enumerate(candidates):
            if number:
                await self._next(passage, candidate, end)
            key = _circuit(passage, candidate)
            told = False
            try:
                reply, carried = await self._asked_for_real(passage, candidate)
                told = True
                if not _tries_another(reply.status):
                    self.circuits.succeeded(key)
                    return await self._pass(passage, reply, carried)
                self.circuits.failed(key, retry_after=seconds_in(reply.headers, self.books.clock.now()))
                end = await self._keep(passage, reply, carried)
            except UpstreamUnreachableError as error:
                told = True
                self.circuits.failed(key)
                end = End(outcome=Outcome.UNREACHABLE, status=502, notes=(str(error),))
            except (CannotCarryError, ConfigError, ValueError) as error:
                end = End(outcome=Outcome.REFUSED, status=400, notes=(str(error),))
            finally:
                if not told:
                    self.circuits.left(key)
        await self._tell(passage, end)
        return end

    async def _next(self, passage: Passage, candidate: Candidate, end: End) -> None:
        """Close the books of an attempt that failed and open those of the next."""
        failed = passage.entry
        first_id = str(failed.row.get("attempt_of") or failed.call.id)
        call = replace(sent_to(passage.plan.call, candidate), id=new_id(), time=self.books.clock.now())
        # The strategies' decisions stand with the first attempt; this one is what it is.
        plan = Plan(asked=call, call=call)
        attempt = Attempt(
            upstream=candidate.to.host,
            provider=call.provider,
            named=passage.asked.named,
            endpoint=passage.asked.endpoint,
            ours=candidate.to.key is not None,
            of=first_id,
        )
        if self.gate is not None:
            plan = await self.gate.next_attempt(passage, plan, attempt, candidate, end)
        held_out = failed.row.get("held_out") is True
        entry = self.books.open(
            plan, prompt=passage.entry.prompt, body=passage.asked.raw, held_out=held_out, attempt=attempt
        )
        entry.followed, entry.talks = failed.followed, failed.talks
        passage.plan, passage.entry = plan, entry
        self.books.settle(failed, replace(end, duration_us=elapsed_us() - passage.began))
        await self.books.intend(entry)

    async def _asked_for_real(
        self, passage: Passage, candidate: Candidate | None
    ) -> tuple[UpstreamReply, Carried | None]:
        """Send the call; once more to the model asked for, where it was refused because of the one we had chosen."""
        reply, carried = await self._ask(passage, candidate)
        look, sent = passage.look, passage.entry.plan.call
        is_first = passage.entry.row.get("attempt_of") is None
        if reply.status not in _OURS or look is None or not look.leaves or not is_first:
            return reply, carried
        home = self.home_of(look, sent)
        if home is None:
            return reply, carried
        body = await whole(reply, passage.entry.tap)
        why = refused_for_us(reply.status, body, asked=home.model, sent=sent.model)
        if why is None:
            return replace(reply, chunks=again(body)), carried
        tap = passage.entry.tap
        end = End(outcome=Outcome.ERROR, status=reply.status) if tap is None else ended(tap, reply)
        look.refused(why)
        if self.router is not None:
            self.router.refused(look, sent.model, why, status=reply.status)
        return await self._sent_home(passage, home, end)

    async def _sent_home(self, passage: Passage, home: Call, end: End) -> tuple[UpstreamReply, Carried | None]:
        """The call as its client wrote it, as an attempt of its own; what was left out for good stays left out."""
        asked, first = passage.asked, passage.plan
        to = self.destinations.planned(asked.call, home, asked.to)
        kept: list[Edit] = [
            each.edit for each in first.decisions if each.applied and not isinstance(each.edit, _MODEL_EDITS)
        ]
        if asked.call.preference:
            kept = [SetModel(home.model, why="", provider=home.provider), *kept]
        body = anthropic_edits.edited(asked.body or b"", kept) if kept else asked.body
        if self.acting is not None:
            self.acting.sent(replace(first, call=replace(home, blocks=first.call.blocks)))
        candidate = Candidate(to=to, model=home.model)
        await self._next(passage, candidate, end)
        passage.body = body
        if to.home and asked.exchange is None:
            reply = await self._ask_as_it_came(passage, to)
            billing, carried = _billing_at_home(asked), None
        else:
            carried = await self._carried(passage, candidate)
            reply, billing = await self._ask_carried(passage, carried), carried.billing
        passage.entry.tap = Tap(reply, self.status.fault, keep=self.books.store_content, billing=billing)
        return reply, carried

    async def _ask(self, passage: Passage, candidate: Candidate | None) -> tuple[UpstreamReply, Carried | None]:
        """Send the call to a candidate; returns at the reply's head.

        None is whom and what the client came for; what is sent then is what came, edits apart.
        """
        if candidate is None or _goes_as_it_came(passage, candidate):
            reply = await self._ask_as_it_came(passage, passage.to)
            billing = _billing_at_home(passage.asked)
            carried = None
        else:
            carried = await self._carried(passage, candidate)
            reply = await self._ask_carried(passage, carried)
            billing = carried.billing
        passage.entry.tap = Tap(reply, self.status.fault, keep=self.books.store_content, billing=billing)
        return reply, carried

    @staticmethod
    async def _ask_as_it_came(passage: Passage, to: Destination) -> UpstreamReply:
        request, entry = passage.request, passage.entry
        sent: bytes | AsyncIterator[bytes] = request.chunks() if passage.body is None else passage.body
        target = target_of(passage.route, request.query)
        fields = headers.forwarded(request.headers, body_changed=passage.body is not passage.asked.raw)
        if passage.look is not None:
            fields = headers.for_model(fields, passage.plan.call.model)
        began = elapsed_us()
        entry.forwarded = True
        reply = await to.upstream.send(request.method, target, fields, sent)
        entry.first_byte_us = elapsed_us() - began
        return reply

    @staticmethod
    async def _ask_carried(passage: Passage, carried: Carried) -> UpstreamReply:
        entry = passage.entry
        began = elapsed_us()
        entry.forwarded = True
        method, to = passage.request.method, carried.to
        entry.regional = to.provider.is_regional(carried.model)
        reply = await to.upstream.send(method, carried.target, carried.headers, carried.body)
        entry.first_byte_us = elapsed_us() - began
        return as_events(reply, to.provider.stream_decoder)

    async def _carried(self, passage: Passage, candidate: Candidate) -> Carried:
        parts = passage.request, passage.asked, passage.plan.call, passage.body or b"", candidate
        if candidate.to.provider.signs and candidate.to.key is None:
            return await asyncio.to_thread(self.carrier.carry, *parts)
        return self.carrier.carry(*parts)

    async def _pass(self, passage: Passage, reply: UpstreamReply, carried: Carried | None) -> End:
        """The reply to the client."""
        tap = passage.entry.tap
        if tap is None:
            raise RuntimeError("a reply without its tap")
        notes: tuple[str, ...] = ()
        if passage.redirected:
            notes = (f"{passage.to.name} was not asked: it had failed too often just before",)
        try:
            reply, seen, told = await self._told(passage, reply, tap)
            if carried is None:
                await pass_on(reply, passage.responder, seen, told)
            else:
                notes = (*notes, *_said(carried.left_out), *_lost(passage, carried))
                extra = [*told, *(pair for pair in _served_by(passage.asked, carried) if pair[0] not in dict(told))]
                silent = seen or Tap(reply, self.status.fault)
                await pass_back(reply, passage.responder, silent, carried, extra, self.status.fault)
        except (UpstreamCutError, ReachedCapError) as error:
            if not passage.responder.started:
                await refusals.unreachable(passage.responder, str(error), dialect=passage.asked.dialect)
            return ended(tap, reply, outcome=Outcome.CUT, notes=(*notes, str(error)))
        return ended(tap, reply, notes=notes)

    async def _told(
        self, passage: Passage, reply: UpstreamReply, tap: Tap
    ) -> tuple[UpstreamReply, Tap | None, RawHeaders]:
        """What the client hears of the router's decision, in headers; a whole reply is read first, for its cost."""
        look = passage.look
        if look is None or not look.is_told or reply.status >= _ERRORS:
            return reply, tap, []
        if tap.stream:
            estimate = telling.estimate(look, passage.plan.call, self.forecast)
            return reply, tap, telling.of_stream(look, passage.entry, estimate)
        body = await whole(reply, tap)
        return replace(reply, chunks=again(body)), None, telling.of_whole(look, passage.entry, tap.finish(), self.books)

    async def _keep(self, passage: Passage, reply: UpstreamReply, carried: Carried | None) -> End:
        """Read the answer of a target that could not serve; the first one's is kept for the client."""
        tap = passage.entry.tap
        if tap is None:
            raise RuntimeError("a reply without its tap")
        try:
            body = await whole(reply, tap)
        except UpstreamCutError as error:
            return ended(tap, reply, outcome=Outcome.ERROR, notes=(str(error),))
        if passage.answer is None and len(body) <= _LONGEST_ERROR:
            passage.answer = replace(reply, chunks=again(body))
            passage.told = carried
        return ended(tap, reply, notes=_said(carried.left_out if carried is not None else ()))

    async def _tell(self, passage: Passage, end: End) -> None:
        """Nobody could serve: the client gets what the first said, to deal with as it does without us."""
        answer, responder = passage.answer, passage.responder
        if answer is None:
            why = end.notes[-1] if end.notes else "nobody answered"
            await refusals.unreachable(responder, why, dialect=passage.asked.dialect)
        elif passage.told is None:
            await pass_on(answer, responder, None)
        else:
            silent = Tap(answer, self.status.fault)
            await pass_back(answer, responder, silent, passage.told, [], self.status.fault)

    async def _unreachable(self, passage: Passage, error: Exception) -> End:
        await refusals.unreachable(passage.responder, str(error), dialect=passage.asked.dialect)
        return End(outcome=Outcome.UNREACHABLE, status=502, notes=(str(error),))

    async def _not_carried(self, passage: Passage, error: Exception) -> End:
        """The call cannot be said to where it goes: nothing was sent."""
        await refusals.not_carried(passage.responder, 400, str(error), dialect=passage.asked.dialect)
        return End(outcome=Outcome.REFUSED, status=400, notes=(str(error),))


def _goes_as_it_came(passage: Passage, candidate: Candidate) -> bool:
    """Whether a call goes to the upstream its client came for, in the client's own words."""
    asked = passage.asked
    return (
        candidate.to.home
        and asked.exchange is None
        and candidate.model == passage.plan.call.model
        and passage.entry.row.get("attempt_of") is None
        and not passage.redirected
    )


def _billing_at_home(asked: Asked) -> Billing:
    if asked.chat is None:
        return AT_HOME
    return Billing(asked.dialect, asked.call.provider, asked.call.model)


def _tries_another(status: int) -> bool:
    return status in _TRY_ANOTHER or status in _SERVERS_FAULT


def _circuit(passage: Passage, candidate: Candidate) -> tuple[str, str, str]:
    """The circuit of a target: an upstream, a key, and the model, whose limits are its own."""
    to = candidate.to
    key = passage.asked.call.identity.key if to.key is None and to.shows_clients_key else None
    return f"{to.name}{' (upstream)' if to.home else ''}", key or "", candidate.model


def target_name(circuit: Hashable) -> str:
    """A circuit in words, for `underspend status`."""
    if not isinstance(circuit, tuple):
        return str(circuit)
    name, key, model = circuit
    return f"{name} {model}" + (f" for {key}" if key else "")


def _served_by(asked: Asked, carried: Carried) -> RawHeaders:
    """Who served, where that is not who was asked."""
    if carried.to is asked.to and carried.model == asked.to.provider.model_id(asked.call.model):
        return []
    return [(b"x-underspend-provider", _plain(carried.to.name)), (b"x-underspend-model", _plain(carried.model))]


def _plain(text: str) -> bytes:
    """A text that can stand in a header, whatever it came from."""
    return "".join(each if each.isascii() and each.isprintable() else "?" for each in text).encode()


def _lost(passage: Passage, carried: Carried) -> tuple[str, ...]:
    """What strategies did to a translated call is not in it where it goes on in its client's own words after all."""
    if passage.asked.exchange is None or carried.exchange is not None:
        return ()
    made = [each for each in passage.plan.decisions if each.applied and not isinstance(each.edit, _MODEL_EDITS)]
    return tuple(f"not carried: what {name} changed" for name in dict.fromkeys(each.strategy for each in made))


def _said(left_out: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"not carried: {each}" for each in left_out)
