"""The counterfactual, proved: what the gateway says a session would have cost is what the provider bills without it.

Sessions run twice against the fake provider, which keeps its own account of the prompt cache: through the gateway with
strategies on, and straight. The clock is the provider's.
"""

import asyncio
import json
import random

import pytest
from doubles import Asked, Told, pipeline

from underspend.config.steps import steps_from
from underspend.core.call import Identity, Role
from underspend.gateway.acting import Acting
from underspend.gateway.routes import classify
from underspend.gateway.upstream import HttpUpstream
from underspend.pricing.catalogue import catalogue
from underspend.testing.fake_upstream.clock import FakeClock
from underspend.testing.fake_upstream.replies import Reply
from underspend.testing.fake_upstream.server import FakeUpstream

MESSAGES = classify("POST", "/v1/messages")
START = 1_795_160_000_000_000
MARKS = {ttl: {"cache_control": {"type": "ephemeral", "ttl": ttl}} for ttl in ("5m", "1h")}
HEADERS = [(b"content-type", b"application/json"), (b"x-api-key", b"k"), (b"anthropic-version", b"2023-06-01")]
RULE = {"rules": [{"model": "claude-opus-5-5", "to": "claude-sonnet-5-5"}]}
POLICIES = {
    "nothing": {},
    "model": {"model_rules": {"state": "on", **RULE}},
    "dedupe": {"dedupe_reads": {"state": "on"}},
    "stale": {"drop_stale_results": {"state": "on"}},
    "cold": {"cold_prune": {"state": "on"}},
    "trim": {"trim_results": {"state": "on"}},
    "ttl": {"cache_ttl": {"state": "on"}},
    "all": {
        "dedupe_reads": {"state": "on"},
        "trim_results": {"state": "on"},
        "drop_stale_results": {"state": "on"},
        "cold_prune": {"state": "on"},
        "cache_ttl": {"state": "on"},
        "model_rules": {"state": "on", **RULE},
    },
}

# What is kept warm for an hour is not worth cutting.
NO_EDITS = {("nothing", "5m"), ("nothing", "1h"), ("stale", "1h"), ("cold", "1h")}


def session(seed, mark, turns=24):
    """The bodies of a coding session with the seconds before each: it reads files, some again, edits and runs."""
    chance = random.Random(seed)
    messages, step = [{"role": "user", "content": "Mend the parser. " * 20}], 0
    files = [f"/src/{name}.py" for name in ("parser", "lexer", "tree", "main")]
    texts = {name: f"# {name}\n" + "value = compute(other, thing)\n" * chance.randint(60, 400) for name in files}
    for turn in range(turns):
        marked = json.loads(json.dumps(messages))
        last = marked[-1]
        if isinstance(last["content"], str):
            last["content"] = [{"type": "text", "text": last["content"]}]
        last["content"][-1] |= mark
        gap = chance.choice([5, 20, 40, 90]) if chance.random() > 0.15 else chance.choice([400, 900])
        yield (gap if turn else 0), marked
        name = chance.choice(files)
        uses = [{"type": "tool_use", "id": f"toolu_{seed}_{step}", "name": "Read", "input": {"file_path": name}}]
        results = [{"type": "tool_result", "tool_use_id": f"toolu_{seed}_{step}", "content": texts[name]}]
        if chance.random() < 0.3:
            step += 1
            uses.append(
                {"type": "tool_use", "id": f"toolu_{seed}_{step}", "name": "Bash", "input": {"command": "pytest -q"}}
            )
            out = "F" * chance.randint(2_000, 20_000)
            results.append({"type": "tool_result", "tool_use_id": f"toolu_{seed}_{step}", "content": out})
        step += 1
        messages += [{"role": "assistant", "content": uses}, {"role": "user", "content": results}]


def bodies(seed, mark):
    tools = [{"name": name, "description": "d " * 800, "input_schema": {"type": "object"}} for name in ("Read", "Bash")]
    system = [{"type": "text", "text": f"You are a careful engineer, number {seed}. " * 200, **mark}]
    for gap, messages in session(seed, mark):
        body = {"model": "claude-opus-5-5", "max_tokens": 4_000, "tools": tools, "system": system, "messages": messages}
        yield gap, json.dumps(body).encode()


async def run(steps, seeds, mark):
    """The provider's bill of the sessions through a gateway, and what the gateway wrote down."""
    clock = FakeClock(START)
    reply = Reply(content="Done so far; going on.")
    async with FakeUpstream(lambda view: reply, clock=clock) as provider:
        async with HttpUpstream(provider.url, connect_seconds=5, idle_seconds=5) as upstream:
            acting = Acting(steps, catalogue()) if steps else None
            made = pipeline(upstream, steps=steps, acting=acting)
            made.clock = made.asking.clock = made.books.clock = clock
            made.books.acting = acting
            identifier = made.asking.identifier
            identifier.identify = lambda headers, request, route: Identity(session=headers["s"], role=Role.MAIN)
            for seed in seeds:
                for gap, body in bodies(seed, mark):
                    clock.advance(gap)
                    told = Told()
                    await made.handle(Asked(body, headers=[*HEADERS, (b"s", b"%d" % seed)]), told, MESSAGES)
                    assert told.status == 200, told.body
                clock.advance(7_200)
        assert made.status.snapshot()["faults"] == []
        return provider.bill().picodollars, [each.call for each in made.books.ledger.settlements.values()]


def policy(name):
    steps, _ = steps_from(POLICIES[name], lambda where: where)
    return tuple(step for step in steps if step.strategy.name in POLICIES[name])


@pytest.mark.parametrize("ttl", MARKS)
@pytest.mark.parametrize("name", POLICIES)
def test_without_us_is_what_the_provider_bills_without_us(name, ttl):
    seeds, mark = range(4), MARKS[ttl]
    straight, _ = asyncio.run(run((), seeds, mark))
    billed, rows = asyncio.run(run(policy(name), seeds, mark))
    paid = sum(row["cost_pico"] for row in rows)
    without_us = sum(row["without_us_pico"] for row in rows)
    assert paid == billed
    assert without_us == pytest.approx(straight, rel=0.01)
    if (name, ttl) not in NO_EDITS:
        assert abs(straight - billed) > 0.01 * straight  # there was something to get right
