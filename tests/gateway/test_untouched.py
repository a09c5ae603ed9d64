"""Whatever strategies do, what is none of their business goes on byte for byte."""

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from underspend.config.steps import steps_from
from underspend.core import engine
from underspend.core.call import Call, Identity, Role
from underspend.core.context import Context
from underspend.core.conversation import Conversation, Habits
from underspend.core.edits import ReplaceMessages
from underspend.core.engine import Step
from underspend.core.strategy import State
from underspend.core.summaries import Summary, old_part
from underspend.formats import anthropic_request
from underspend.formats.adaptation import Written
from underspend.formats.anthropic_blocks import Anatomist
from underspend.formats.anthropic_validity import violations
from underspend.formats.json_slices import Slice, elements, members, trimmed
from underspend.gateway.splicing import spliced
from underspend.pricing.forecast import Forecast
from underspend.strategies.cache_breakpoints import CacheBreakpoints
from underspend.strategies.summarise_history import SummariseHistory
from underspend.testing.demo import sessions
from underspend.testing.demo.client import Conversation as Played

SHARP = {
    "cap_output": {"samples": 1},
    "thinking_effort": {"samples": 1, "short_reply": 9_000, "roles": ["main", "subagent", "unknown"]},
    "dedupe_reads": {"min_tokens": 1},
    "trim_results": {"most_tokens": 100, "head": 100, "tail": 100, "words": []},
    "drop_stale_results": {"min_tokens": 1, "keep_calls": 0},
    "cold_prune": {"keep_calls": 1, "min_tokens": 60, "head": 60, "tail": 20, "when_warm": True},
    "stay_below_tier": {"keep_calls": 0, "min_tokens": 1, "target_percent": 1},
    "trim_history": {"budget_tokens": 500, "roles": ["main", "subagent", "unknown"]},
}
STEPS = tuple(
    Step(step.strategy, State.ON) for step in steps_from(SHARP, lambda name: name)[0] if step.strategy.name != "budget"
)
GUARDS = b'{"type":"dangerous_tool_use","classifier_context":{"live_cwd":"/w","n":1.50}}'
KEPT = ("safeguards", "metadata", "context_management", "x_unknown", "tools_unknown")
TEXTS = frozenset({"thinking", "redacted_thinking", "server_tool_use", "web_search_tool_result", "text", "x_new"})


def bodies():
    """Requests of the bundled sessions, with what a provider may add any day."""
    for session in sessions()[:4]:
        for thread in session.threads:
            played = Played(session, thread, session.id)
            for call in thread.calls[:40]:
                yield json.loads(played.request(call)[2]), thread.agent
                played.answered(call)


BODIES = list(bodies())


def with_more(body, at, *, server):
    """The body with safeguards, unknown fields and, in a model's words, what a server tool did."""
    body = json.loads(json.dumps(body))
    body["x_unknown"] = {"b": [1, {"a": "é"}]}
    said = [message for message in body["messages"] if message["role"] == "assistant"]
    if said and server:
        extra = [
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q", "z": 1.0}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "x", "url": "u"}]},
            {"type": "x_new", "y": {"b": 2, "a": 1}},
        ]
        said[at % len(said)]["content"][:0] = extra
    return json.dumps(body, ensure_ascii=False)[:-1].encode() + b', "safeguards" : [' + GUARDS + b" ]}"


def known(call, warm, calls):
    tokens = sum(block.tokens for block in call.blocks)
    outputs = [1] * 50
    return Context(
        now=call.time,
        pricing=Forecast(),
        conversation=Conversation(
            calls=calls, idle=400_000_000, gaps=(400_000_000,), warm_tokens=tokens * warm // 100, paid=10**15
        ),
        habits=Habits(outputs={call.kind: outputs}, lengths={call.identity.role: [50] * 9}),
    )


def planned(raw, role, warm, calls, steps=STEPS):
    message = anthropic_request.read(raw)
    parts = Anatomist().anatomy(tools=message.tools, system=message.system, messages=message.messages)
    call = Call(
        id="c",
        time=1_795_160_000_000_000,
        provider="anthropic",
        endpoint="messages",
        model=message.model,
        max_output=message.max_tokens,
        prompt_tokens=sum(block.tokens for block in parts.blocks),
        size=len(raw),
        effort=message.effort,
        kind=role.value,
        identity=Identity(session="s", role=role),
        blocks=parts.blocks,
        thinking_budget=message.thinking_budget,
    )
    return engine.run(call, steps, known(call, warm, calls))


def pieces(raw):
    """The bytes of what may never change: members by name, and each block by its kind."""
    top = members(raw, trimmed(raw))
    found = {name: raw[top[name].start : top[name].end] for name in KEPT if name in top}
    blocks = []
    for message in elements(raw, top["messages"]):
        inner = members(raw, message)
        content = inner["content"]
        for part in elements(raw, content) if raw[content.start : content.start + 1] == b"[" else ():
            kind = json.loads(raw[part.start : part.end]).get("type")
            if kind in TEXTS:
                blocks.append(without_mark(raw, part))
    return found, blocks


def without_mark(raw, part):
    """A block's members but for its breakpoint, as they stand."""
    inner = members(raw, Slice(part.start, part.end))
    return tuple((name, raw[at.start : at.end]) for name, at in inner.items() if name != "cache_control")


def is_in_order(after, before):
    rest = iter(before)
    return all(any(one == other for other in rest) for one in after)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    number=st.integers(0, len(BODIES) - 1),
    at=st.integers(0, 50),
    server=st.booleans(),
    warm=st.sampled_from([0, 50, 100]),
    calls=st.integers(0, 3),
)
def test_safeguards_thinking_server_tools_and_unknown_fields_stay(number, at, server, warm, calls):
    body, agent = BODIES[number]
    raw = with_more(body, at, server=server)
    plan = planned(raw, Role.SUBAGENT if agent else Role.MAIN, warm, calls)
    assert plan.faults == ()
    done = spliced(Written(raw), plan)
    was, now = pieces(raw), pieces(done.body)
    assert now[0] == was[0]
    assert is_in_order(now[1], was[1])
    own = violations(json.loads(raw))
    assert [each for each in violations(json.loads(done.body)) if each not in own] == []
    if not done.dropped and not any(type(each.edit).__name__ == "DropMessages" for each in done.plan.decisions):
        assert now[1] == was[1]


def test_behind_a_summary_the_provider_takes_every_request_and_the_rest_stays():
    """Each body of the bundled sessions whose old part can be taken out, with breakpoints set behind it."""
    sums = SummariseHistory(model="m", keep_turns=1)
    steps = [Step(sums, State.ON), Step(CacheBreakpoints(), State.ON)]
    made = 0
    for number, (body, _) in enumerate(BODIES):
        raw = with_more(body, number, server=False)
        asked = planned(raw, Role.MAIN, 0, 3, steps=()).asked
        part = old_part(asked.blocks, 1)
        if part is None:
            continue
        talk = replace(known(asked, 0, 3).conversation, idle=600_000_000, summary=Summary(*part, "In short.", 1))
        plan = engine.run(asked, steps, replace(known(asked, 0, 3), conversation=talk))
        if not any(isinstance(each.edit, ReplaceMessages) for each in plan.decisions):
            continue
        made += 1
        done = spliced(Written(raw), plan)
        assert done.dropped == ()
        assert set(violations(json.loads(done.body))) <= set(violations(json.loads(raw)))
        was, now = json.loads(raw)["messages"], json.loads(done.body)["messages"]
        assert without_marks(now[: part[0]]) == without_marks(was[: part[0]])
        assert without_marks(now[part[0] + 1 :]) == without_marks(was[part[1] + 1 :])
        assert pieces(done.body)[0] == pieces(raw)[0]
    assert made > 5


def without_marks(messages):
    return [
        [(message["role"], {key: value for key, value in part.items() if key != "cache_control"}) for part in parts]
        for message in messages
        for parts in [message["content"] if isinstance(message["content"], list) else [{"text": message["content"]}]]
    ]


@pytest.mark.parametrize("number", range(0, len(BODIES), 29))
def test_a_safety_call_is_never_touched(number):
    raw = with_more(BODIES[number][0], 0, server=True)
    plan = planned(raw, Role.SIDE, 0, 3)
    assert not [each for each in plan.decisions if each.applied]
    assert spliced(Written(raw), replace(plan)).body == raw
