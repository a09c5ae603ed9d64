import json
from dataclasses import replace

import pytest

from underspend.core.call import Call
from underspend.core.edits import DropMessages, ReplaceContent, ReplaceMessages, SetBreakpoint, SetMaxOutput
from underspend.core.plan import Decision, Plan
from underspend.formats import anthropic_request
from underspend.formats.adaptation import Written
from underspend.formats.anthropic_blocks import Anatomist
from underspend.gateway.splicing import spliced

USE = {"type": "tool_use", "id": "t1", "name": "Read", "input": {"file_path": "/a"}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "line\n" * 100}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
MESSAGES = [
    {"role": "user", "content": "look"},
    {"role": "assistant", "content": [THOUGHT, USE]},
    {"role": "user", "content": [RESULT]},
    {"role": "assistant", "content": "seen"},
    {"role": "user", "content": "go on"},
]


def planned(*edits, messages=MESSAGES):
    raw = json.dumps({"model": "m", "max_tokens": 100, "messages": messages, "safeguards": [{"a": 1.50}]}).encode()
    asked = anthropic_request.read(raw)
    blocks = Anatomist().anatomy(tools=b"", system=b"", messages=asked.messages).blocks
    call = Call(id="c", time=0, provider="anthropic", endpoint="messages", model="m", blocks=blocks)
    decisions = tuple(Decision(strategy=name, edit=edit, applied=True, before=2, after=1) for name, edit in edits)
    return raw, Plan(asked=call, call=replace(call, size=1), decisions=decisions)


def test_what_will_do_is_made() -> None:
    raw, plan = planned(("dedupe_reads", ReplaceContent(3, "as before", 3, "why")))
    done = spliced(Written(raw), plan)
    assert done.plan is plan
    assert done.dropped == ()
    assert json.loads(done.body)["messages"][2]["content"][0]["content"] == "as before"
    assert b'"safeguards": [{"a": 1.5}]' in done.body


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (DropMessages(0, 0, "why"), "the first message is not the user's"),
        (DropMessages(1, 1, "why"), "has no use right before it"),
        (ReplaceMessages(1, 1, "s", 1, "why"), "has no use right before it"),
        (ReplaceMessages(3, 4, "s", 1, "why"), "nothing can stand for messages 3 to 4"),
        (ReplaceContent(0, "x", 1, "why"), "only what a tool's result says"),
        (SetBreakpoint(1, "5m", "why"), "takes no breakpoint"),
        (SetBreakpoint(99, "5m", "why"), "there is no block 99"),
    ],
)
def test_what_the_provider_would_refuse_is_dropped_and_the_rest_is_made(edit, why) -> None:
    raw, plan = planned(("bad", edit), ("good", SetMaxOutput(50, "why")))
    done = spliced(Written(raw), plan)
    assert [name for name, _ in done.dropped] == ["bad"]
    assert why in done.dropped[0][1]
    assert [(each.strategy, each.applied) for each in done.plan.decisions] == [("bad", False), ("good", True)]


def test_behind_messages_that_were_to_go_no_edit_knows_its_place() -> None:
    raw, plan = planned(("bad", DropMessages(1, 1, "why")), ("good", SetBreakpoint(4, "5m", "why")))
    done = spliced(Written(raw), plan)
    assert [name for name, _ in done.dropped] == ["bad", "good"]
    assert done.body == raw
    assert done.plan.call == plan.asked


def test_a_breakpoint_behind_a_summary_knows_its_place() -> None:
    raw, plan = planned(("sums", ReplaceMessages(1, 3, "in short", 3, "why")), ("marks", SetBreakpoint(1, "5m", "why")))
    done = spliced(Written(raw), plan)
    assert done.dropped == ()
    text = {"type": "text", "text": "in short", "cache_control": {"type": "ephemeral"}}
    assert json.loads(done.body)["messages"] == [MESSAGES[0], {"role": "assistant", "content": [text]}, MESSAGES[4]]


def test_what_the_client_got_wrong_itself_drops_no_edit() -> None:
    raw, plan = planned(("good", SetMaxOutput(50, "why")), messages=[*MESSAGES, {"role": "user", "content": [RESULT]}])
    assert spliced(Written(raw), plan).dropped == ()
