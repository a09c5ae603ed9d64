"""The pipeline's ports in memory: a request, a responder and an upstream that are only data."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from underspend.core.budgets import Action, Budget, claims_on
from underspend.core.money import from_usd
from underspend.core.windows import window
from underspend.formats.translators import translator
from underspend.gateway.asking import Asking
from underspend.gateway.attempts import Attempts
from underspend.gateway.books import Books
from underspend.gateway.breaches import Answering
from underspend.gateway.carrying import Carrier
from underspend.gateway.circuits import Circuits
from underspend.gateway.credentials import KeyHasher
from underspend.gateway.destinations import Destination, Destinations
from underspend.gateway.gating import Gate
from underspend.gateway.headers import as_mapping
from underspend.gateway.holding import Holding
from underspend.gateway.identity import Identifier
from underspend.gateway.live import Live
from underspend.gateway.pipeline import Pipeline
from underspend.gateway.status import Status
from underspend.gateway.transport import UpstreamCutError, UpstreamReply
from underspend.pricing.catalogue import catalogue
from underspend.pricing.forecast import Forecast
from underspend.providers.anthropic import Anthropic
from underspend.stores.holds.memory import MemoryHolds
from underspend.stores.holds.off_loop import OffLoop
from underspend.stores.memory import MemoryLedger
from underspend.tokens.estimate import Calibration

NOW = 1_795_160_000_000_000


class FixedClock:
    def now(self):
        return NOW


@dataclass
class Asked:
    data: bytes
    method: str = "POST"
    path: bytes = b"/v1/messages"
    query: bytes = b""
    headers: list = field(default_factory=list)

    @property
    def fields(self):
        return as_mapping(self.headers)

    async def body(self, limit):
        return self.data

    async def chunks(self):
        yield self.data


@dataclass
class Told:
    started: bool = False
    client_gone: bool = False
    ended: bool = False
    status: int = 0
    headers: list = field(default_factory=list)
    body: bytes = b""

    async def start(self, status, headers):
        self.started, self.status, self.headers = True, status, headers

    async def write(self, chunk):
        self.body += chunk

    async def end(self):
        self.ended = True


@dataclass
class Upstream:
    chunks: list
    status: int = 200
    content_type: bytes = b"application/json"
    cut: bool = False
    error: Exception | None = None
    sent: list = field(default_factory=list)
    closed: bool = False

    async def send(self, method, target, headers, body):
        if self.error:
            raise self.error
        if not isinstance(body, bytes) and body is not None:
            body = b"".join([chunk async for chunk in body])
        self.sent.append((method, target, headers, body))
        return UpstreamReply(self.status, [(b"content-type", self.content_type)], self._chunks())

    async def _chunks(self):
        try:
            for chunk in self.chunks:
                yield chunk
            if self.cut:
                raise UpstreamCutError("cut")
        finally:
            self.closed = True


HOME = Anthropic(name="anthropic", base_url="http://upstream", key="client")


def home(upstream):
    return Destination(provider=HOME, upstream=upstream, home=True)


def pipeline(
    upstream,
    *,
    steps=(),
    ledger=None,
    forecast=None,
    others=(),
    fallbacks=None,
    clock=None,
    forward=False,
    budgets=(),
    **options,
):
    """A pipeline whose every part is in memory."""
    clock, live = clock or FixedClock(), Live()
    status = Status(clock=clock, version="test")
    ledger = ledger or MemoryLedger()
    books = Books(
        ledger=ledger,
        catalogue=catalogue(),
        clock=clock,
        live=live,
        status=status,
        calibration=Calibration(),
        upstream="upstream",
        acting=options.get("acting"),
    )
    destinations = Destinations(home(upstream), others, catalogue=catalogue(), fallbacks=fallbacks)
    carrier = Carrier(translator)
    forecast = forecast or Forecast()
    gate = gate_over(books, forecast, budgets) if budgets else None
    return Pipeline(
        asking=Asking(
            identifier=Identifier(ledger, KeyHasher(b"k" * 32), {}),
            destinations=destinations,
            carrier=carrier,
            calibration=books.calibration,
            status=status,
            clock=clock,
            acting=options.get("acting"),
            forward=forward,
        ),
        attempts=Attempts(
            books=books,
            destinations=destinations,
            carrier=carrier,
            circuits=Circuits(clock, failures=3, open_seconds=30),
            forecast=forecast,
            status=status,
            gate=gate,
        ),
        books=books,
        steps=steps,
        forecast=forecast,
        gate=gate,
        status=status,
        clock=clock,
        body_limit=10_000_000,
        **options,
    )


def gate_over(books, forecast, budgets, *, holds=None, how="auto", **options):
    """A gate over a store in memory that has nothing to restore."""
    store = holds or MemoryHolds()
    for budget in budgets:
        store.restore(budget.series, (), now=NOW)
    books.holding = Holding(
        budgets=tuple(budgets),
        holds=OffLoop(store, clock=books.clock.now, hold_for=60_000_000),
        status=books.status,
        clock=books.clock,
        **options,
    )
    dearer = Forecast(places=("geo:us", "priority"))
    return Gate(
        holding=books.holding,
        answering=Answering(how),
        books=books,
        catalogue=catalogue(),
        forecast=forecast,
        dearer=dearer,
    )


def daily(usd, **changes):
    """A budget of a calendar day that blocks."""
    said = {"name": "day", "cap": from_usd(usd), "window": window("calendar day"), "action": Action.BLOCK}
    return Budget(**{**said, **changes})


def held(made):
    """What calls in flight hold, in the budgets' order."""
    return tuple(each.held for each in standings(made))


def spent(made):
    """What was spent, in the budgets' order."""
    return tuple(each.spent for each in standings(made))


def standings(made):
    holding = made.gate.holding
    asked = [
        claim
        for budget in holding.budgets
        for claim in claims_on(budget, holding.holds.holds.accounts(budget.series), made.clock.now())
    ]
    return holding.holds.holds.standings(asked, now=made.clock.now())


def body(**changes):
    return json.dumps({"model": "claude-opus-5-5", "max_tokens": 100, "messages": [], **changes}).encode()
