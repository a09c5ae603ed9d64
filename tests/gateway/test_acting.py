"""What strategies get to know of a conversation, and that what they did once is done again."""

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from underspend.core import engine
from underspend.core.call import Call, Identity, Role
from underspend.core.context import Context
from underspend.core.conversation import Kept
from underspend.core.edits import ReplaceContent, ShortenContent
from underspend.core.engine import Step
from underspend.core.slots import Failure, Slot
from underspend.core.strategy import State, Strategy
from underspend.core.usage import Metered, Unit, Usage
from underspend.formats import anthropic_request
from underspend.gateway import acting as module
from underspend.gateway.acting import Acting, kept_of, kept_row, key_of, slot_of, slot_row
from underspend.gateway.worlds import Ended
from underspend.pricing.catalogue import catalogue
from underspend.pricing.forecast import Forecast

MINUTE = 60_000_000
START = 1_795_160_000_000_000
MARK = {"cache_control": {"type": "ephemeral"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Once(Strategy):
    """Replaces the first result it sees, the first time it sees one, and never speaks again."""

    name: ClassVar[str] = "once"

    def decide(self, call, ctx):
        if ctx.conversation.calls == 1:
            at = next(n for n, block in enumerate(call.blocks) if block.kind == "tool_result")
            yield ReplaceContent(at, "said before", 4, "why")


def body(turns):
    messages = [{"role": "user", "content": "look"}]
    for n in range(turns):
        use = {"type": "tool_use", "id": f"t{n}", "name": "Read", "input": {"file_path": f"/{n}"}}
        result = {"type": "tool_result", "tool_use_id": f"t{n}", "content": "line\n" * 2_000}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    messages[-1]["content"][-1] |= MARK
    system = [{"type": "text", "text": "be brief " * 500, **MARK}]
    return anthropic_request.read(json.dumps({"model": "m", "system": system, "messages": messages}).encode())


class Gateway:
    def __init__(self, state=State.ON, kept=()):
        self.steps = (Step(Once(), state),)
        self.acting = Acting(self.steps, catalogue(), lambda key: [row for row in kept if row["conversation"] == key])
        self.kept = []

    def play(self, number, turns, **who):
        identity = Identity(**{"session": "s", "role": Role.MAIN, **who})
        blocks = self.acting.anatomy(body(turns)).blocks
        time = START + number * MINUTE
        call = Call(
            id=f"c{number}",
            time=time,
            provider="anthropic",
            endpoint="messages",
            model="claude-opus-5-5",
            identity=identity,
            blocks=blocks,
        )
        known = self.acting.conversation(call)
        plan = engine.run(call, self.steps, Context(now=time, pricing=Forecast(), conversation=known))
        usage = Usage(cache_write_5m=sum(block.tokens for block in plan.call.blocks), output=5)
        metered = Metered(provider="anthropic", model=call.model, units=(Unit("message", usage),), reported=usage)
        self.kept += self.acting.keep(plan)
        self.acting.settle(plan, Ended(sent=time, began=time, metered=metered), 0)
        return known, plan


def test_calls_idle_time_and_warmth():
    gateway = Gateway(State.SHADOW)
    first, _ = gateway.play(0, 1)
    assert (first.calls, first.idle, first.warm_tokens, first.is_cold) == (0, None, 0, True)
    second, plan = gateway.play(2, 2)
    assert (second.calls, second.idle) == (1, 2 * MINUTE)
    before = [block.tokens for block in plan.asked.blocks[:-2]]
    assert second.warm_tokens == sum(before)
    assert second.cold_at == START + 5 * MINUTE
    third, _ = gateway.play(20, 3)
    assert third.is_cold


def test_what_was_done_to_a_block_is_done_again():
    gateway = Gateway()
    gateway.play(0, 1)
    _, second = gateway.play(1, 2)
    third_known, third = gateway.play(2, 3)
    assert len(third_known.kept) == 1
    assert [(each.strategy, each.again) for each in third.decisions] == [("once", True)]
    was, now = second.call.blocks, third.call.blocks
    assert [block.digest for block in now[: len(was)]] == [block.digest for block in was]


def test_in_shadow_nothing_is_kept():
    gateway = Gateway(State.SHADOW)
    gateway.play(0, 1)
    gateway.play(1, 2)
    assert gateway.play(2, 3)[0].kept == {}


def test_conversations_are_kept_apart_and_the_oldest_forgotten(monkeypatch):
    monkeypatch.setattr(module, "_CONVERSATIONS", 2)
    gateway = Gateway(State.SHADOW)
    gateway.play(0, 1)
    assert gateway.play(1, 1, session="other")[0].calls == 0
    assert gateway.play(2, 1, agent="a1")[0].calls == 0
    assert gateway.play(3, 1, session="other")[0].calls == 1
    assert gateway.play(4, 1)[0].calls == 0


@pytest.mark.parametrize("change", [{"session": "other"}, {"agent": "a"}, {"role": Role.SIDE}])
def test_a_conversation_is_a_session_and_an_agent_in_it(change):
    call = Call(
        id="c",
        time=0,
        provider="anthropic",
        endpoint="messages",
        model="m",
        identity=Identity(session="s", role=Role.MAIN),
    )
    assert key_of(call) != key_of(replace(call, identity=replace(call.identity, **change)))


def test_a_client_without_sessions_is_known_by_how_its_conversation_begins():
    gateway = Gateway(State.SHADOW)
    gateway.play(0, 1, session=None)
    assert gateway.play(1, 2, session=None)[0].calls == 1


@pytest.mark.parametrize("state", [State.ON, State.OFF])
def test_after_a_restart_what_was_done_is_done_again(state):
    before = Gateway()
    before.play(0, 1)
    _, second = before.play(1, 2)
    after = Gateway(state, kept=json.loads(json.dumps(before.kept)))
    known, third = after.play(2, 3)
    assert known.calls == 0
    assert [block.digest for block in third.call.blocks[: len(second.call.blocks)]] == [
        block.digest for block in second.call.blocks
    ]


def test_a_kept_edit_of_another_version_is_left_out():
    edit = ShortenContent(3, 10, 10, 5, "why", words=("error",))
    row = kept_row("s main", b"name", "trim", edit, START)
    assert dict(kept_of([row])) == {b"name": Kept("trim", edit)}
    odd = {**row, "edit": json.dumps({"edit": "Unheard", "at": 1})}
    newer = {**row, "edit": json.dumps({"edit": "ShortenContent", "at": 1, "unheard": 2})}
    assert dict(kept_of([odd, newer])) == {}


def test_a_slot_is_read_back_as_it_was_written_and_is_no_edit():
    slot = Slot(asked="claude-opus-5-5", model="claude-haiku-5-5", provider="anthropic", changed_at=7, escalations=1)
    row = slot_row("s main", replace(slot, failures=(Failure("why", 3),)), START)
    assert slot_of([row]) == slot
    assert list(kept_of([row])) == []
    assert slot_of([]) is None


def test_failures_of_a_slot_are_remembered_and_a_check_that_passes_mends_all_but_the_certain():
    gateway = Gateway()
    _, plan = gateway.play(0, 1)
    gateway.acting.sent(plan)
    key = key_of(plan.asked)
    gateway.acting.failed(key, (Failure("a test failed", 1), Failure("the model refused", 2, certain=True)))
    assert [each.why for each in gateway.acting.mended(key).failures] == ["the model refused"]
    slot = gateway.acting.failed(key, tuple(Failure("again", at) for at in range(100)))
    assert len(slot.failures) == 20


def test_a_call_that_is_only_thought_of_leaves_no_trace():
    gateway = Gateway()
    _, plan = gateway.play(0, 1)
    later = replace(plan.asked, time=START + MINUTE)
    first = gateway.acting.conversation(later, noted=False)
    assert first == gateway.acting.conversation(later, noted=False)
    assert list(first.gaps) == []


def test_the_pause_before_a_call_that_was_answered_here_goes_on():
    gateway = Gateway()
    gateway.play(0, 1)
    _, plan = gateway.play(2, 2)
    (talk,) = gateway.acting._talks.values()
    gaps = list(talk.gaps)
    call = replace(plan.asked, time=START + 7 * MINUTE)
    gateway.acting.conversation(call)
    assert len(talk.gaps) == len(gaps) + 1
    gateway.acting.answered(call)
    assert talk.gaps == gaps
    gateway.acting.answered(call)
    assert talk.gaps == gaps
