"""Having summaries of long conversations written in the background, by a cheap model, while nobody waits.

A conversation that has been quiet until its cache is about to die is summed up: the next call, if it comes later than
that, goes out with the summary. Each is a call of its own in the ledger, billed to the strategy that asked for it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace

from underspend.core.call import BillingMode, Call, Role
from underspend.core.edits import Warn
from underspend.core.engine import Step
from underspend.core.foresight import written_at
from underspend.core.plan import Decision, Plan
from underspend.core.reply import Outcome, Reply
from underspend.core.summaries import Summary, old_part, tokens_of
from underspend.formats import anthropic_request, anthropic_summary
from underspend.formats.anthropic_request import MessagesRequest
from underspend.gateway.acting import Acting, key_of
from underspend.gateway.asked import Asked
from underspend.gateway.books import Books
from underspend.gateway.clock import elapsed_us
from underspend.gateway.destinations import Destination
from underspend.gateway.entries import End, Entry, new_id
from underspend.gateway.gating import Gate
from underspend.gateway.holding import Breach
from underspend.gateway.passage import Passage, ended
from underspend.gateway.passing import whole
from underspend.gateway.states import States
from underspend.gateway.tap import Tap
from underspend.gateway.transport import RawHeaders, UpstreamCutError, UpstreamReply, UpstreamUnreachableError
from underspend.pricing.forecast import Forecast
from underspend.providers.provider import ANTHROPIC
from underspend.strategies.summarise_history import SummariseHistory
from underspend.tokens.estimate import tokens_in

NAME = SummariseHistory.name
_SECOND = 1_000_000
_QUIET = 240 * _SECOND
_BEFORE_THE_HOUR = 300 * _SECOND
_REST = 1_800 * _SECOND
_MOST_WAITING = 64
_MOST_BYTES = 64 * 1024 * 1024
_OTHERS = frozenset({Role.SIDE, Role.COMPACTION, Role.SUMMARY})
_SHOWN = frozenset({b"x-api-key", b"authorization", b"anthropic-version", b"user-agent"})
_OURS: RawHeaders = [(b"content-type", b"application/json"), (b"accept", b"application/json")]


@dataclass(frozen=True, slots=True)
class _Quiet:
    """A conversation as its last call left it."""

    call: Call
    message: MessagesRequest
    headers: RawHeaders
    target: str
    to: Destination
    size: int


@dataclass(frozen=True, slots=True)
class _Job:
    """A summary to be asked for: what `call` says from `first` to `last`, by way of `asked`."""

    quiet: _Quiet
    call: Call
    first: int
    last: int
    asked: Asked


@dataclass(slots=True, kw_only=True)
class Summaries:
    """Asks for summaries of one gateway's conversations. `look_seconds` is how often it looks which are quiet."""

    strategy: SummariseHistory
    acting: Acting
    books: Books
    cases: States
    forecast: Forecast
    gate: Gate | None = None
    look_seconds: float = 1.0
    _waiting: OrderedDict[str, _Quiet] = field(default_factory=OrderedDict)
    _resting: dict[str, int] = field(default_factory=dict)
    _is_there: asyncio.Event = field(default_factory=asyncio.Event)

    def seen(self, passage: Passage, reply: Reply) -> None:
        """Take in that a call has ended: its conversation may fall quiet now. Never raises."""
        try:
            self._seen(passage, reply)
        except Exception as error:  # noqa: BLE001  # fail open: nothing is summed up then
            self._failed(f"{type(error).__name__}: {error}")

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """While inside, summaries are asked for; those under way at the end are given up, and written down."""
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            try:
                yield
            finally:
                watching.cancel()

    async def look(self) -> None:
        """Sum up the conversations that are quiet by now; returns when that is done."""
        now = self.books.clock.now()
        due = [key for key, quiet in self._waiting.items() if now >= self._due(key, quiet)]
        async with asyncio.TaskGroup() as group:
            for key in due:
                quiet = self._waiting.pop(key)
                if now >= self._resting.get(key, 0):
                    group.create_task(self._sum_up(key, quiet))

    async def _watch(self) -> None:
        while True:
            await self._is_there.wait()
            while self._waiting:
                await asyncio.sleep(self.look_seconds)
                await self.look()
            self._is_there.clear()

    def _seen(self, passage: Passage, reply: Reply) -> None:
        asked, entry = passage.asked, passage.entry
        call, message = entry.plan.asked, asked.message
        if message is None or not asked.talks or reply.outcome is not Outcome.OK:
            return
        if call.prompt_tokens < self.strategy.least_tokens or not self._may(passage):
            return
        if not call.blocks and call.identity.session is None:
            call = replace(call, blocks=self.acting.anatomy(message).blocks)
        key = key_of(call)
        headers = [pair for pair in passage.request.headers if pair[0] in _SHOWN]
        self._waiting[key] = _Quiet(call, message, headers, passage.route.target, passage.to, len(asked.raw or b""))
        self._waiting.move_to_end(key)
        while len(self._waiting) > _MOST_WAITING or sum(each.size for each in self._waiting.values()) > _MOST_BYTES:
            self._waiting.popitem(last=False)
        self._is_there.set()

    def _may(self, passage: Passage) -> bool:
        """Whether a summary of the call's conversation may be asked for where the call went, with its own key."""
        asked, who = passage.asked, passage.asked.call.identity
        is_plain = asked.dialect == ANTHROPIC and asked.exchange is None and passage.to.home and asked.to.home
        if not is_plain or asked.login or who.billing is not BillingMode.API_KEY or who.role in _OTHERS:
            return False
        return any(strategy.name == NAME for strategy in self.cases.of(who).acting)

    def _due(self, key: str, quiet: _Quiet) -> int:
        """When a conversation's cache is about to die."""
        talk = self.acting.known(key)
        long_until = talk.long_until - _BEFORE_THE_HOUR if talk is not None and talk.long else 0
        return max(quiet.call.time + _QUIET, long_until)

    async def _sum_up(self, key: str, quiet: _Quiet) -> None:
        try:
            job = self._job(quiet)
            if job is not None:
                said = await self._asked_for(job)
                self.acting.histories.put(job.call, Summary(job.first, job.last, said, tokens_in(len(said.encode()))))
        except Exception as error:  # noqa: BLE001  # fail open: the conversation goes on as it is
            self._resting[key] = self.books.clock.now() + _REST
            if len(self._resting) > _MOST_WAITING:
                del self._resting[next(iter(self._resting))]
            said = str(error) if isinstance(error, _NoSummaryError | ValueError) else f"{type(error).__name__}: {error}"
            self._failed(f"no summary: {said}")

    def _job(self, quiet: _Quiet) -> _Job | None:
        """What is to be asked; None where there is too little to sum up, or it would not pay the first time already."""
        blocks = quiet.call.blocks or self.acting.anatomy(quiet.message).blocks
        call = replace(quiet.call, blocks=blocks)
        part, messages = old_part(blocks, self.strategy.keep_turns), quiet.message.messages
        if part is None or anthropic_summary.holds_settings(messages, *part):
            return None
        begin, last = part
        earlier, fresh = self._earlier(call, begin)
        grown = tokens_of(blocks, fresh, last)
        if grown < self.strategy.least_tokens:
            return None
        record = anthropic_summary.record_of(messages, fresh, last, earlier=earlier)
        body = anthropic_summary.request(self.strategy.model, record, self.strategy.most_tokens)
        asked = self._as_asked(call, body, quiet.to)
        return _Job(quiet, call, begin, last, asked) if self._pays(call, asked.call, grown) else None

    def _earlier(self, call: Call, begin: int) -> tuple[str, int]:
        """What was summed up before, and the first message that was not."""
        at_hand, replaced = self.acting.histories.of(call)
        if at_hand is not None:
            return at_hand.text, at_hand.last + 1
        return (replaced.edit.text, replaced.edit.last + 1) if replaced is not None else ("", begin)

    def _as_asked(self, of: Call, body: bytes, to: Destination) -> Asked:
        """The call that asks for a summary."""
        who, size, model = of.identity, len(body), self.strategy.model
        who = replace(who, role=Role.SUMMARY, agent=None, parent_agent=who.agent, agent_type=None, turn=None)
        call = Call(
            id=new_id(),
            time=self.books.clock.now(),
            provider=of.provider,
            endpoint="messages",
            model=model,
            max_output=self.strategy.most_tokens,
            prompt_tokens=self.books.calibration.tokens(model, size),
            prompt_ceiling=size + 1_024,
            size=size,
            kind=Role.SUMMARY.value,
            identity=who,
        )
        return Asked(
            call=call,
            endpoint="messages",
            login=False,
            dialect=ANTHROPIC,
            named=model,
            to=to,
            raw=body,
            body=body,
            message=anthropic_request.read(body),
        )

    def _pays(self, call: Call, asked: Call, tokens: int) -> bool:
        """Whether the next cold prompt is cheaper by more than the summary costs at most."""
        rates, dear = self.forecast.rates(asked), self.forecast.rates(call)
        if rates is None or dear is None:
            raise _NoSummaryError(f"the price of {asked.model if rates is None else call.model} is not known")
        most = self.forecast.worst_case(asked)
        return (tokens - asked.max_output) * written_at(call.blocks, dear) > most

    async def _asked_for(self, job: _Job) -> str:
        """The summary. Raises _NoSummaryError or ValueError where none comes."""
        call, asked = job.asked.call, job.asked
        why = f"a summary of messages {job.first} to {job.last}, for the session's next call after a pause"
        said = Decision(strategy=NAME, edit=Warn(why), applied=True, before=None, after=None)
        plan = Plan(asked=call, call=call, decisions=(said,))
        if self.gate is not None:
            held = await self.gate.admitted(asked, plan, asked.to, self.forecast)
            if isinstance(held, Breach):
                raise _NoSummaryError(f"the budget {held.budget} has no room for it")
            plan = held.plan
        with self.gate.released_on_failure(call) if self.gate is not None else nullcontext():
            entry = self.books.open(plan, prompt=None, body=asked.raw)
        entry.charged_to = NAME
        body = await self._sent(entry, job)
        return anthropic_summary.summary_in(body)

    async def _sent(self, entry: Entry, job: _Job) -> bytes:
        """The reply's body; however the call ends, its books are closed. Raises _NoSummaryError for an error."""
        began, end = elapsed_us(), End(outcome=Outcome.INTERRUPTED)
        try:
            await self.books.intend(entry)
            entry.forwarded = True
            to, headers = job.quiet.to, [*_OURS, *job.quiet.headers]
            reply = await to.upstream.send("POST", job.quiet.target, headers, job.asked.raw)
            entry.first_byte_us = elapsed_us() - began
            tap = entry.tap = Tap(reply, self.books.status.fault, keep=True)
            end = await _read(reply, tap)
        except UpstreamUnreachableError as error:
            end = End(outcome=Outcome.UNREACHABLE, status=502, notes=(str(error),))
            raise _NoSummaryError(str(error)) from error
        finally:
            self.books.settle(entry, replace(end, duration_us=elapsed_us() - began))
        if end.outcome is not Outcome.OK:
            raise _NoSummaryError(f"{self.strategy.model} answered {end.status} ({end.outcome})")
        return end.reply_body or b""

    def _failed(self, why: str) -> None:
        self.books.status.fault(NAME, why)


class _NoSummaryError(Exception):
    """No summary came, and why, in words."""


async def _read(reply: UpstreamReply, tap: Tap) -> End:
    """Read a reply to its end, as far as it comes."""
    try:
        await whole(reply, tap)
    except UpstreamCutError as error:
        return ended(tap, reply, outcome=Outcome.CUT, notes=(str(error),))
    return ended(tap, reply)


def summaries_of(
    steps: Sequence[Step], books: Books, cases: States, forecast: Forecast, gate: Gate | None
) -> Summaries | None:
    """What asks for summaries; None where the strategy is on for nobody, or has no model, which `status` says."""
    step = next((each for each in steps if each.strategy.name == NAME), None)
    if step is None or not isinstance(step.strategy, SummariseHistory) or not step.is_on_somewhere:
        return None
    if not step.strategy.model or books.acting is None:
        books.status.fault(
            NAME, "nothing is summed up: set the model that is to write, [strategies.summarise_history] model"
        )
        return None
    return Summaries(
        strategy=step.strategy, acting=books.acting, books=books, cases=cases, forecast=forecast, gate=gate
    )
