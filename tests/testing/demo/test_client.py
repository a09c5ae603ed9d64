import json

import pytest

from underspend.testing.demo.client import Conversation, filler, signed
from underspend.testing.demo.recording import Call, Session, Source, Thread

SOURCE = Source(repository="a/b", commit="0" * 40, path="x", licence="MIT")


def say(text):
    return [{"role": "user", "content": [{"type": "text", "text": text}]}]


def call(text="Hello", **more):
    return Call(
        **{"at": 0, "model": "claude-sonnet-4-5", "prompt": 1, "add": say(text), "reply": [block("Hi")], **more}
    )


def block(text):
    return {"type": "text", "text": text}


def conversation(*, client="2.1.50", **thread):
    made = Thread(**{"calls": [], "unseen": 4_000, "tools": {"Read": ["file_path"]}, **thread})
    session = Session(id="s-1", project="web", client=client, days_ago=0, source=SOURCE, threads=[made])
    return Conversation(session, made, "s-1")


def body(made):
    return json.loads(made[2])


def marks(request):
    """Where the breakpoints are, as paths."""
    found = [f"tools.{n}" for n, tool in enumerate(request["tools"]) if "cache_control" in tool]
    found += [f"system.{n}" for n, part in enumerate(request["system"]) if "cache_control" in part]
    for number, message in enumerate(request["messages"]):
        found += [f"messages.{number}.{n}" for n, part in enumerate(message["content"]) if "cache_control" in part]
    return found


def test_breakpoints_are_where_claude_code_puts_them():
    talk = conversation()
    first = body(talk.request(call()))
    assert marks(first) == ["system.1", "system.2", "messages.0.1"]
    talk.answered(call())
    second = body(talk.request(call("More")))
    assert marks(second) == ["system.1", "system.2", "messages.2.0"]
    assert second["system"][1]["cache_control"] == {"type": "ephemeral"}


def test_older_clients_mark_the_last_two_messages():
    talk = conversation(client="2.0.5")
    assert marks(body(talk.request(call()))) == ["system.1", "system.2", "messages.0.1"]
    talk.answered(call())
    assert marks(body(talk.request(call("More")))) == ["system.1", "system.2", "messages.1.0", "messages.2.0"]


def test_a_message_that_ends_in_thinking_is_not_marked():
    talk = conversation(client="2.0.5")
    thought = call(reply=[{"type": "thinking", "thinking": "Hm"}])
    talk.request(thought)
    talk.answered(thought)
    assert marks(body(talk.request(call("More")))) == ["system.1", "system.2", "messages.2.0"]


def test_an_hours_cache_is_asked_for_where_it_was():
    request = body(conversation(ttl="1h").request(call()))
    assert request["messages"][0]["content"][-1]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


def test_the_prefix_stays_the_same_from_turn_to_turn():
    talk = conversation()
    first = body(talk.request(call()))
    talk.answered(call())
    second = body(talk.request(call("More")))
    assert second["tools"] == first["tools"]
    assert second["system"] == first["system"]
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]
    del first["messages"][0]["content"][-1]["cache_control"]
    assert second["messages"][0] == first["messages"][0]


def test_the_parts_no_recording_holds_have_their_recorded_size():
    request = body(conversation(unseen=20_000).request(call()))
    size = len(json.dumps([request["tools"], request["system"], request["messages"]])) / 4
    assert 20_000 < size < 21_000
    assert "stands in" in request["tools"][0]["description"]


def test_a_compaction_asks_after_the_breakpoint_and_the_next_call_begins_anew():
    talk = conversation()
    talk.request(call())
    talk.answered(call())
    path, headers, _ = made = talk.request(call("Results", role="compaction"))
    request = body(made)
    assert headers["x-claude-code-request-class"] == "compaction"
    assert marks(request)[-1] == "messages.2.0"
    assert "summary" in request["messages"][2]["content"][1]["text"]
    talk.answered(call(role="compaction"))
    after = body(talk.request(call("Summary", fresh=True)))
    assert [part["text"] for part in after["messages"][0]["content"]][1:] == ["Summary"]
    assert path == "/p/web/v1/messages?beta=true"


def test_headers_name_session_turn_class_and_client():
    talk = conversation()
    headers = talk.request(call())[1]
    assert headers["x-claude-code-session-id"] == "s-1"
    assert headers["x-claude-code-request-class"] == "main"
    assert headers["user-agent"] == "claude-cli/2.1.50 (external, cli)"
    assert "x-claude-code-agent-id" not in headers
    turn = headers["x-claude-code-prompt-id"]
    assert talk.request(call("More"))[1]["x-claude-code-prompt-id"] == turn
    assert talk.request(call("More", prompt=2))[1]["x-claude-code-prompt-id"] != turn
    assert [len(part) for part in turn.split("-")] == [8, 4, 4, 4, 12]


def test_a_sub_agent_says_so():
    made = conversation(agent="a1", agent_type="Explore").request(call(role="subagent"))
    assert made[1]["x-claude-code-agent-id"] == "a1"
    assert made[1]["x-claude-code-agent-type"] == "Explore"
    assert "cc_is_subagent=true" in body(made)["system"][0]["text"]


@pytest.mark.parametrize(
    ("model", "thinking", "most", "effort"),
    [
        ("claude-sonnet-4-5-20250929", "enabled", 32_000, None),
        ("claude-opus-4-5-20251101", "enabled", 32_000, "high"),
        ("claude-haiku-4-5-20251001", "enabled", 32_000, None),
        ("claude-opus-4-6", "adaptive", 64_000, "high"),
        ("claude-sonnet-4-6", "adaptive", 64_000, None),
    ],
)
def test_thinking_and_limits_follow_the_model(model, thinking, most, effort):
    request = body(conversation().request(call(model=model)))
    assert request["thinking"]["type"] == thinking
    assert request["max_tokens"] == most
    assert request.get("output_config", {}).get("effort") == effort
    assert request["stream"] is True
    assert json.loads(request["metadata"]["user_id"])["session_id"] == "s-1"


def test_filler_has_the_size_that_is_asked_for():
    assert len(filler(100)) == 400
    assert len(filler(0)) == 1


def test_only_thinking_is_signed():
    thought, text = signed([{"type": "thinking", "thinking": "Hm"}, block("Hi")])
    assert thought["signature"]
    assert text == block("Hi")
