from __future__ import annotations

import json
from typing import Any

import pytest

from underspend.testing.fake_upstream.api_error import ApiError
from underspend.testing.fake_upstream.faults import Delivery, Fault
from underspend.testing.fake_upstream.recorded import Recorded
from underspend.testing.fake_upstream.replies import Reply, tool_use
from underspend.testing.fake_upstream.script import (
    Queue,
    Routed,
    answer_json,
    choose,
    default_reply,
    in_turn,
    script_from_json,
)
from underspend.testing.fake_upstream.view import RequestView


def view(text: str = "hi", headers: dict[str, str] | None = None, **body: Any) -> RequestView:
    asked = {"model": "m", "messages": [{"role": "user", "content": text}], "tools": [{}], **body}
    return RequestView("POST", "/v1/messages", list((headers or {}).items()), json.dumps(asked).encode())


def said(answer: Any) -> Any:
    assert isinstance(answer, Reply)
    return answer.content


A, B = Reply(content="a"), Reply(content="b")


def test_a_queue_answers_in_order_and_then_its_default() -> None:
    queue = Queue([A], default=Fault(status=529))
    queue.push(B)
    assert len(queue) == 2
    assert [queue(view()) for _ in range(3)] == [A, B, Fault(status=529)]


def test_a_queue_for_roles_leaves_the_others_alone() -> None:
    queue = Queue([A], roles=["main"])
    assert queue(view(tools=[])) is None
    assert queue(view()) == A


def test_routes_go_by_agent_then_session_then_role() -> None:
    routed = Routed(
        agents={"a1": lambda _v: A},
        agent_prompts={"find bugs": lambda _v: B},
        sessions={"s1": Queue([], default=Reply(content="s"))},
        roles={"main": lambda _v: Reply(content="r")},
        default=lambda _v: Reply(content="d"),
    )
    assert said(routed(view(headers={"x-claude-code-agent-id": "a1"}))) == "a"
    assert said(routed(view("please find bugs", {"x-claude-code-agent-id": "new"}))) == "b"
    assert said(routed(view("go on", {"x-claude-code-agent-id": "new"}))) == "b"
    assert said(routed(view(headers={"x-claude-code-session-id": "s1"}))) == "s"
    assert said(routed(view())) == "r"
    assert said(routed(view(tools=[]))) == "d"
    assert Routed()(view()) is None


def test_scripts_in_turn() -> None:
    script = in_turn(Queue([A]), lambda _v: B)
    assert [script(view()), script(view())] == [A, B]
    assert in_turn()(view()) is None


def test_headers_beat_the_script() -> None:
    assert isinstance(choose(view(headers={"x-fake-status": "500"}), lambda _v: A), Fault)
    reply = json.dumps({"content": ["from header", {"type": "text", "text": "x"}], "stop_reason": "pause_turn"})
    assert said(choose(view(headers={"x-fake-reply": reply}), lambda _v: A))[0] == "from header"


def test_delivery_headers_change_the_scripted_answer() -> None:
    scripted = Reply(content="a", delivery=Delivery(gzip=True))
    answer = choose(view(headers={"x-fake-cut-after-event": "2"}), lambda _v: scripted)
    assert (answer.delivery.gzip, answer.delivery.cut_after_event) == (True, 2)


@pytest.mark.parametrize("header", ["{", '{"nonsense": 1}', '{"output_tokens": "many"}'])
def test_an_unreadable_reply_header_is_refused(header: str) -> None:
    with pytest.raises(ApiError, match="x-fake-reply"):
        choose(view(headers={"x-fake-reply": header}), None)


def test_the_default_reply_depends_on_the_request_alone() -> None:
    assert default_reply(view("one")) == default_reply(view("one"))
    assert len({said(default_reply(view(str(n)))) for n in range(20)}) > 15
    assert choose(view("one"), lambda _v: None) == default_reply(view("one"))


def test_a_compaction_gets_a_summary() -> None:
    assert "<summary>" in said(default_reply(view("Your task is to create a detailed summary of it")))


@pytest.mark.parametrize(
    "answer",
    [
        Reply(content=("x", tool_use("t", {}))),
        Fault(status=529, retry_after=1),
        Recorded(status=200, headers=(("a", "b"),), body=b"\x00\xff", chunk_sizes=(1,)),
    ],
)
def test_answers_survive_json(answer: Any) -> None:
    script = script_from_json(json.dumps({"queue": [answer_json(answer)]}).encode())
    assert script(view()) == answer
    assert script(view()) is None


def test_a_tool_loop_from_json() -> None:
    raw = {"rounds": [[{"name": "Read", "input": {}}]], "final": "ok", "default": {"type": "reply", "content": "d"}}
    script = script_from_json(json.dumps(raw).encode())
    assert said(script(view()))[0]["name"] == "Read"
    assert said(script(view(tools=[]))) == "d"


def test_an_unreadable_script_is_refused() -> None:
    with pytest.raises(ApiError, match="script"):
        script_from_json(b'{"queue": [{"type": "poem"}]}')
