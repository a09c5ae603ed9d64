"""A pipeline in memory with the router in it, and calls that begin conversations."""

import asyncio
import json

from doubles import Asked, FixedClock, Told, pipeline

from underspend.core.engine import Step
from underspend.core.strategy import State
from underspend.formats.translators import translator
from underspend.gateway.acting import Acting
from underspend.gateway.carrying import Carrier, Refusing
from underspend.gateway.learning import Learning
from underspend.gateway.routes import classify
from underspend.gateway.routing import Router
from underspend.pricing.catalogue import catalogue
from underspend.routing.beliefs import Arm, Result
from underspend.routing.decisions import Mode
from underspend.routing.knowledge import Knowledge
from underspend.strategies.auto_model import AutoModel

HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"
MESSAGES = classify("POST", "/v1/messages")
ASK = "Which of these two words is longer, and by how much?"
ANYONE = ("main", "subagent", "unknown")
AGGRESSIVE = AutoModel(mode=Mode.AGGRESSIVE, route_pinned=ANYONE, sees_all=True)


class Ticking(FixedClock):
    """A clock that goes on by a second with every look."""

    def __init__(self):
        self.at = FixedClock().now()

    def now(self):
        self.at += 1_000
        return self.at

    def later(self, seconds):
        self.at += seconds * 1_000_000


def knowing(*, good=(HAIKU, SONNET, OPUS), cost=None, results=60):
    """Knowledge by which these models do everything, and the others nothing."""
    made = Knowledge()
    for model in (HAIKU, SONNET, OPUS):
        for at in range(results):
            spent = (cost or {}).get(model, {HAIKU: 10**8, SONNET: 10**9, OPUS: 3 * 10**9}[model])
            for task in ("short-question", "sub-agent/explore", "function-calling/one-of-one", "agentic-coding/other"):
                quality = float(model in good)
                made.learn(Result(task=task, arm=Arm(model), quality=quality, cost=spent, at=at))
    return made


def routed(upstream, strategy=None, *, state=State.SHADOW, knowledge=None, explore=0.0, steps=(), **options):
    """A pipeline whose router is `strategy`, by default as it is out of the box."""
    strategy = strategy or AutoModel()
    steps = (Step(strategy, state), *steps)
    acts = (state is State.ON and strategy.is_acting) or any(
        step.strategy.edits and step.state is not State.OFF for step in steps[1:]
    )
    acting = Acting(steps, catalogue(), everything=acts)
    learning = Learning(knowledge or Knowledge())
    made = pipeline(upstream, steps=steps, acting=acting, clock=options.pop("clock", None) or Ticking(), **options)
    refusing = Refusing(made.attempts.destinations, Carrier(translator))
    router = Router(Step(strategy, state), learning, explore=explore, refuses=refusing.why)
    made.router = made.attempts.router = router
    made.attempts.acting = made.books.acting = acting
    made.asking.preference = strategy.preference.value
    made.__post_init__()
    return made


def said(text=ASK, *, model="auto", **more):
    return {"model": model, "max_tokens": 1_000, "messages": [{"role": "user", "content": text}], **more}


def ask(made, body, *, route=MESSAGES, headers=()):
    """Make a call; what the client was told."""
    told = Told()
    raw = json.dumps(body).encode() if isinstance(body, dict) else body
    fields = [(name.encode(), value.encode()) for name, value in dict(headers).items()]
    asyncio.run(made.handle(Asked(raw, headers=fields), told, route))
    return told


def fields(told):
    return {name.decode(): value.decode() for name, value in told.headers}


def sent(upstream):
    """The bodies that the upstream got."""
    return [json.loads(body) for _, _, _, body in upstream.sent]


def rows(made):
    return list(made.books.ledger.calls.values())
