import json

import pytest

from underspend.config.steps import steps_from
from underspend.core.call import BillingMode, Call, Identity, Role
from underspend.core.usage import Usage
from underspend.formats import anthropic_request
from underspend.gateway.acting import Acting
from underspend.gateway.following import Following
from underspend.gateway.states import States
from underspend.pricing.catalogue import catalogue
from underspend.pricing.forecast import Forecast

MINUTE = 60_000_000
START = 1_795_160_000_000_000
MARK = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
ALONE = Identity(role=Role.UNKNOWN, billing=BillingMode.API_KEY)
WHO = Identity(session="s", role=Role.MAIN, billing=BillingMode.API_KEY)


def request(turns=2, mark=MARK, blocks=1, size=20_000):
    messages = [{"role": "user", "content": "x" * size}]
    for _ in range(turns):
        result = [{"type": "text", "text": "r"}] * blocks
        messages += [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}]
        messages += [{"role": "user", "content": result}]
    system = [{"type": "text", "text": "be brief", **(mark or {})}]
    body = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": messages, "system": system}
    return anthropic_request.read(json.dumps(body).encode())


class Looking:
    def __init__(self, table=None, kept=(), routes=False, **options):
        steps, _ = steps_from(table or {}, lambda name: name)
        self.acting = Acting(steps, catalogue(), everything=False)
        states = States(steps, routed=True, **options)
        self.following = Following(states, self.acting, Forecast(), routes=routes, kept=set(kept))

    def call(self, message, who=WHO, at=0):
        size = len(message.raw)
        return Call(
            id="c",
            time=START + at * MINUTE,
            provider="anthropic",
            endpoint="messages",
            model=message.model,
            size=size,
            prompt_tokens=size // 4,
            identity=who,
        )

    def wants(self, message, who=WHO, at=0):
        return self.following.wants(self.call(message, who, at), message)

    def passes(self, message, who=WHO, at=0, **usage):
        self.acting.passed(self.call(message, who, at), Usage(input=10, **usage), 5)


def test_a_conversation_that_goes_on_briskly_is_not_taken_apart() -> None:
    looking = Looking()
    for number in range(5):
        message = request(number)
        assert not looking.wants(message, at=number)
        looking.passes(message, at=number)


def test_one_that_has_paused_is() -> None:
    looking = Looking()
    looking.passes(request(1))
    assert looking.wants(request(2), at=7)
    looking.passes(request(2), at=7)
    assert looking.wants(request(3), at=8)


def test_one_that_asks_for_an_hour_or_has_one_is() -> None:
    assert Looking().wants(request(1, HOUR))
    looking = Looking()
    looking.passes(request(1), cache_write_1h=100)
    assert looking.wants(request(2), at=1)
    assert not looking.wants(request(2), at=62, who=Identity(session="other", role=Role.MAIN))


def test_many_blocks_at_once_are_looked_at() -> None:
    looking = Looking()
    assert not looking.wants(request(2, blocks=10))
    assert looking.wants(request(2, blocks=25))


@pytest.mark.parametrize("who", [WHO, ALONE])
def test_what_is_not_marked_is_looked_at_once_it_goes_on(who) -> None:
    looking = Looking()
    assert not looking.wants(request(0, None), who)
    looking.passes(request(0, None), who)
    assert looking.wants(request(1, None), who, at=1)
    assert not looking.wants(request(1, None, size=50), who, at=1)


def test_what_may_not_be_acted_on_is_not_looked_at() -> None:
    for who in (Identity(session="s", billing=BillingMode.OAUTH), Identity(session="s", role=Role.SIDE)):
        assert not Looking().wants(request(2, HOUR), who)
    everything = {name: {"state": "shadow"} for name in ("cache_ttl", "cache_breakpoints")}
    assert not Looking(everything).wants(request(2, HOUR))


def test_where_contents_are_edited_every_call_is() -> None:
    assert Looking({"trim_results": {"state": "on"}}).wants(request(0))
    scoped = Looking({"trim_results": {"scopes": [{"role": "subagent", "state": "on"}]}})
    assert not scoped.wants(request(0))
    assert scoped.wants(request(0), Identity(session="s", role=Role.SUBAGENT))


def test_what_an_earlier_gateway_edited_is_edited_again_whoever_is_on() -> None:
    plan = Identity(session="s", role=Role.MAIN, billing=BillingMode.OAUTH)
    assert Looking(kept=["s main"]).wants(request(1), plan)
    assert not Looking(kept=["other main"]).wants(request(1), plan)
    assert Looking(kept=["0123456789abcdef"]).wants(request(1), ALONE)


def test_where_the_router_acts_it_sees_every_call() -> None:
    table = {"auto_model": {"state": "on"}}
    assert Looking(table, routes=True).wants(request(0))
    assert not Looking(table, routes=False).wants(request(0))
    assert not Looking(routes=True).wants(request(0))


def test_what_a_request_begins_with_is_looked_through_again_when_its_length_changes() -> None:
    looking = Looking()
    assert not looking.wants(request(1))
    looking.passes(request(1))
    assert looking.wants(request(1, HOUR), at=1)
