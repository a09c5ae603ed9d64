"""A reply that is ended at the cap of a request's budget: as a whole message, when it has cost so much."""

from __future__ import annotations

from collections.abc import Callable

from underspend.core import budget_words
from underspend.core.budgets import Budget
from underspend.core.call import Call
from underspend.core.money import Money
from underspend.core.usage import Metered, Unit, Usage
from underspend.formats import encodings
from underspend.formats.breach import Dialect, EndableStream
from underspend.gateway.headers import first
from underspend.gateway.transport import RawHeaders, Responder

_OK = 200
_STEP = 16
_OF_THE_BODY = frozenset({b"content-length", b"content-encoding"})


class ReachedCapError(Exception):
    """The reply has cost as much as its budget allows; the client has its end, and no more is to be read."""


class CappedResponder:
    """A `Responder` that passes a stream on until it has cost the cap of its budget.

    `seen` are the tokens so far, `price` what they cost. What is no stream of events goes through untouched.
    """

    def __init__(
        self,
        to: Responder,
        budget: Budget,
        dialect: Dialect,
        *,
        seen: Callable[[], Usage],
        price: Callable[[Usage], Money],
    ) -> None:
        self._to, self._budget = to, budget
        self._seen, self._price = seen, price
        self._stream: EndableStream | None = None
        self._dialect: Dialect = dialect
        self._plain: Callable[[bytes], bytes] = bytes
        self._looked_at = -_STEP

    @property
    def started(self) -> bool:
        """Whether the reply's head was sent."""
        return self._to.started

    @property
    def client_gone(self) -> bool:
        """Whether the client went away."""
        return self._to.client_gone

    async def start(self, status: int, headers: RawHeaders) -> None:
        """Send the status line and headers; a stream goes on without its compression, since it may have to end."""
        if status == _OK and "event-stream" in (first(headers, b"content-type") or ""):
            self._stream = EndableStream(self._dialect)
            self._plain = encodings.decoder(first(headers, b"content-encoding"))
            headers = [pair for pair in headers if pair[0].lower() not in _OF_THE_BODY]
        await self._to.start(status, headers)

    async def write(self, chunk: bytes) -> None:
        """Pass bytes on. Raises ReachedCapError when the reply was ended in place of them."""
        stream = self._stream
        if stream is None:
            await self._to.write(chunk)
            return
        seen = self._seen()
        if seen.output - self._looked_at >= _STEP:
            self._looked_at = seen.output
            if self._price(seen) >= self._budget.cap and await self._ended(stream, seen):
                raise ReachedCapError(budget_words.request_breach(self._budget, self._budget.cap))
        if passed := stream.feed(self._plain(chunk)):
            await self._to.write(passed)

    async def _ended(self, stream: EndableStream, seen: Usage) -> bool:
        """End the message; False where it is ending by itself."""
        words = budget_words.request_breach(self._budget, self._budget.cap)
        last = stream.end(words, output_tokens=seen.output)
        if not last:
            return False
        await self._to.write(last)
        await self._to.end()
        return True

    async def end(self) -> None:
        """End the body, with what was kept back of it."""
        if self._stream is not None and (left := self._stream.rest()):
            await self._to.write(left)
        await self._to.end()


def so_far(call: Call, usage: Usage) -> Metered:
    """A reply under way as something that can be priced."""
    return Metered(
        provider=call.provider,
        model=call.model,
        units=(Unit("message", usage),),
        reported=usage,
        speed=call.speed,
        complete=False,
    )
