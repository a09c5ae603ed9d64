"""Long conversations against the fake provider, straight or through a gateway that has them summed up."""

from __future__ import annotations

import json

from doubles import Asked, Told, pipeline

from underspend.config.steps import steps_from
from underspend.core.call import BillingMode, Identity, Role
from underspend.gateway.acting import Acting
from underspend.gateway.following import Following
from underspend.gateway.routes import classify
from underspend.gateway.summaries import summaries_of
from underspend.gateway.upstream import HttpUpstream
from underspend.pricing.catalogue import catalogue
from underspend.pricing.forecast import Forecast
from underspend.testing.fake_upstream.clock import FakeClock
from underspend.testing.fake_upstream.replies import Reply
from underspend.testing.fake_upstream.server import FakeUpstream

MESSAGES = classify("POST", "/v1/messages")
START = 1_795_160_000_000_000
MARK = {"cache_control": {"type": "ephemeral"}}
HEADERS = [(b"content-type", b"application/json"), (b"x-api-key", b"k"), (b"anthropic-version", b"2023-06-01")]
CHEAP, DEAR = "claude-haiku-5-5", "claude-opus-5-5"
SAID = "The parser was mended; main.py is still open."
ON = {"summarise_history": {"state": "on", "model": CHEAP, "least_tokens": 10_000, "most_tokens": 500}}


def policy(said=None):
    steps, _ = steps_from(said or ON, lambda where: where)
    return tuple(step for step in steps if step.strategy.name in (said or ON))


def system(marked=True):
    return [{"type": "text", "text": "You are a careful engineer. " * 200, **(MARK if marked else {})}]


class Chat:
    """A conversation of a client that marks the end of its prompt."""

    def __init__(self, model=DEAR, thinks=False):
        self.model, self.thinks, self.number = model, thinks, 0
        self.messages = []

    def turn(self, size=12_000, steps=1):
        """The user asks; then a tool's results come in. Gives the body of each call."""
        self.number += 1
        self.messages.append({"role": "user", "content": [{"type": "text", "text": f"Do part {self.number}. " * 5}]})
        yield self.body()
        for step in range(steps):
            ref = f"toolu_{self.number}_{step}"
            use = {"type": "tool_use", "id": ref, "name": "Bash", "input": {"command": f"make {self.number}"}}
            text = f"line {self.number} {step}\n" * (size // 12)
            back = {"type": "tool_result", "tool_use_id": ref, "content": text}
            self.messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [back]}]
            yield self.body()
        self.messages.append({"role": "assistant", "content": [{"type": "text", "text": f"Part {self.number} done."}]})

    def body(self):
        messages = json.loads(json.dumps(self.messages))
        messages[-1]["content"][-1] |= MARK
        tools = [{"name": "Bash", "description": "d " * 400, "input_schema": {"type": "object"}}]
        made = {"model": self.model, "max_tokens": 4_000, "tools": tools, "system": system(), "messages": messages}
        return json.dumps(made).encode()


class Gateway:
    """A pipeline over a fake provider, with a clock that is moved by hand."""

    def __init__(self, provider, upstream, clock, steps, *, rows=(), stores=False, **options):
        kept = [row for row in rows if row["block"] not in {"slot", "cache"}]
        acting = None
        if steps:
            acting = Acting(
                steps, catalogue(), lambda key: [r for r in rows if r["conversation"] == key], everything=False
            )
            acting.histories.stores_text = stores
        self.made = made = pipeline(upstream, steps=steps, acting=acting, clock=clock, **options)
        self.provider, self.clock, self.acting = provider, clock, acting
        if acting is not None:
            made.asking.following = Following(
                made.cases, acting, Forecast(), kept={row["conversation"] for row in kept}
            )
        made.summaries = summaries_of(steps, made.books, made.cases, made.forecast, made.gate)

        def identify(headers, request, route):
            return Identity(session=headers["s"], **self.who)

        self.who = {"role": Role.MAIN, "key": "key-1", "billing": BillingMode.API_KEY}

        made.asking.identifier.identify = identify

    def again(self, steps, **options):
        """Another gateway before the same provider, with what this one has in its ledger."""
        upstream = self.made.attempts.destinations.home.upstream
        return Gateway(self.provider, upstream, self.clock, steps, rows=self.kept, **options)

    async def send(self, body, session="s1"):
        told = Told()
        await self.made.handle(Asked(body, headers=[*HEADERS, (b"s", session.encode())]), told, MESSAGES)
        assert told.status == 200, told.body
        return told

    async def pause(self, seconds):
        """Time passes, and the gateway looks around now and then."""
        for _ in range(10):
            self.clock.advance(seconds / 10)
            if self.made.summaries is not None:
                await self.made.summaries.look()

    @property
    def rows(self):
        return [each.call for each in self.made.books.ledger.settlements.values()]

    @property
    def effects(self):
        return [row for each in self.made.books.ledger.settlements.values() for row in each.effects]

    @property
    def kept(self):
        """The rows of edits that later calls need again, the newest of each."""
        rows = [row for each in self.made.books.ledger.settlements.values() for row in each.kept]
        return [*{(row["conversation"], row["block"]): row for row in rows}.values()]

    def sent(self, model=DEAR):
        """The bodies that the provider got."""
        bodies = [json.loads(each.body) for each in self.provider.requests]
        return [body for body in bodies if body["model"] == model]

    @property
    def faults(self):
        return self.made.status.snapshot()["faults"]


class On:
    """While inside, a gateway."""

    def __init__(self, steps=(), reply=None, *, binds=False, **options):
        self.steps, self.options, self.binds = steps, options, binds
        self.reply = reply or (lambda view: Reply(content=SAID if view.model == CHEAP else "Going on."))

    async def __aenter__(self):
        clock = FakeClock(START)
        self.provider = FakeUpstream(self.reply, clock=clock, keep_bodies=True, bind_thinking=self.binds)
        await self.provider.__aenter__()
        self.upstream = HttpUpstream(self.provider.url, connect_seconds=5, idle_seconds=5)
        await self.upstream.__aenter__()
        return Gateway(self.provider, self.upstream, clock, self.steps, **self.options)

    async def __aexit__(self, *error):
        await self.upstream.__aexit__(*error)
        await self.provider.__aexit__(*error)
