import importlib.util
import json
import re
from importlib import resources
from pathlib import Path

import pytest

from underspend.testing.demo import recording
from underspend.testing.fake_upstream import PriceList

SCRIPT = Path(__file__).parents[3] / "scripts" / "build_demo.py"
SESSIONS = recording.sessions()
FOLDER = resources.files("underspend.testing.demo") / "sessions"


@pytest.fixture(scope="module")
def build_demo():
    spec = importlib.util.spec_from_file_location("build_demo", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["build_demo"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["build_demo"]


def all_calls():
    return [(thread, call) for session in SESSIONS for thread in session.threads for call in thread.calls]


def texts(value):
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def test_the_bundle_is_small_and_varied():
    size = sum(len(file.read_bytes()) for file in FOLDER.iterdir() if file.name.endswith(".json.gz"))
    assert size < 900_000
    assert 5 <= len(SESSIONS) <= 8
    assert len({session.project for session in SESSIONS}) >= 3
    assert len({call.model for _, call in all_calls()}) >= 4
    assert any(thread.agent for thread, _ in all_calls())
    assert any(call.role == "compaction" for _, call in all_calls())


def test_the_past_comes_first_and_the_present_last():
    ages = [session.days_ago for session in SESSIONS]
    assert ages[-1] is None
    assert None not in ages[:-1]
    assert ages[:-1] == sorted(ages[:-1], reverse=True)
    assert ages[-2] == 0
    assert 18 <= ages[0] <= 25


def test_every_session_has_a_free_licence_and_is_listed_with_it():
    listed = (FOLDER / "SOURCES.md").read_text(encoding="utf-8")
    for session in SESSIONS:
        assert session.source.licence in {"MIT", "Apache-2.0"}
        assert re.fullmatch(r"[0-9a-f]{40}", session.source.commit)
        row = next(line for line in listed.splitlines() if f"{session.project}-{session.id[:8]}.json.gz" in line)
        assert all(part in row for part in (session.source.repository, session.source.commit, session.source.licence))


def test_no_account_and_no_mail_address_is_named():
    said = "\n".join(text for _, call in all_calls() for text in texts([call.add, call.reply]))
    assert set(re.findall(r"/(?:Users|home)/([A-Za-z0-9_.-]+)", said)) == {"dev"}
    mails = set(re.findall(r"(?<![\w.+-])[\w.+-]+@[\w-]+\.(?:com|org|net|io|dev|br|de|kr)\b", said))
    assert {mail.rpartition("@")[2] for mail in mails} <= {"example.com", "test.com"}
    assert set(re.findall(r"^[d-][rwx-]{9}[@+]? +\d+ (\S+) ", said, re.MULTILINE)) <= {"dev", "root"}


def test_texts_are_cut_and_signatures_left_out():
    for _, call in all_calls():
        assert max((len(text.encode()) for text in texts([call.add, call.reply])), default=0) < 6_100
        assert not any("signature" in block for block in call.reply)


def test_every_tool_call_gets_its_result_in_the_next_call_and_no_other():
    for session in SESSIONS:
        for thread in session.threads:
            called = []
            for call in thread.calls:
                content = call.add[0]["content"]
                results = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
                assert results == ([] if call.fresh else called)
                called = [block["id"] for block in call.reply if block["type"] == "tool_use"]


def test_calls_are_in_order_and_their_models_have_a_price():
    prices = PriceList()
    for session in SESSIONS:
        assert min(call.at for thread in session.threads for call in thread.calls) == 0
        for thread in session.threads:
            times = [call.at for call in thread.calls]
            assert times == sorted(times)
            assert max(times) <= session.length
            assert all(prices.find(call.model) for call in thread.calls)
        assert session.calls == sum(len(thread.calls) for thread in session.threads)


def test_a_session_survives_its_file():
    session = SESSIONS[0]
    assert recording.decode(recording.encode(session)) == session
    assert recording.encode(session) == recording.encode(session)


def line(kind, second, content, **more):
    message = {"role": kind, "content": content}
    if kind == "assistant":
        message |= {"model": "claude-opus-4-6", "id": more.pop("id"), "usage": more.pop("usage", {})}
    return {
        "type": kind,
        "uuid": f"{kind}{second}{more.get('n', '')}",
        "timestamp": f"2026-02-01T10:00:{second:02d}.000Z",
        "sessionId": "s-1",
        "version": "2.1.50",
        "message": message,
        **more,
    }


def built(build_demo, *entries):
    text = "\n".join(json.dumps(entry) for entry in entries)
    return build_demo.session(text, build_demo.PICKS[0])


def use(name):
    return {"type": "tool_use", "id": name, "name": "Read", "input": {"file_path": "/home/someone/a"}}


def result(name, content="ok"):
    return {"type": "tool_result", "tool_use_id": name, "content": content}


def test_a_reply_is_all_lines_of_a_message_id_with_the_highest_counts(build_demo):
    made = built(
        build_demo,
        line("user", 0, "Look"),
        line("assistant", 3, [use("t1")], id="m1", usage={"output_tokens": 2, "input_tokens": 9_000}),
        line("user", 4, [result("t1")]),
        line("assistant", 5, [use("t2")], id="m1", usage={"output_tokens": 70, "input_tokens": 9_000}),
        line("user", 6, [result("t2")]),
        line("assistant", 9, [{"type": "text", "text": "Done"}], id="m2", usage={"output_tokens": 5}),
    )
    first, second = made.threads[0].calls
    assert [block["id"] for block in first.reply] == ["t1", "t2"]
    assert (first.output, first.at, second.at) == (70, 0, 6_000)
    assert [block["tool_use_id"] for block in second.add[0]["content"]] == ["t1", "t2"]
    assert made.threads[0].tools == {"Read": ["file_path"]}
    assert first.reply[0]["input"] == {"file_path": "/home/dev/a"}
    assert 8_900 < made.threads[0].unseen < 9_000


def test_a_compaction_call_is_put_back_before_the_conversation_begins_anew(build_demo):
    made = built(
        build_demo,
        line("user", 0, "Look"),
        line("assistant", 3, [use("t1")], id="m1"),
        line("user", 5, "The summary", isCompactSummary=True),
        line("assistant", 9, [{"type": "text", "text": "On we go"}], id="m2"),
    )
    _, compaction, after = made.threads[0].calls
    assert compaction.role == "compaction"
    assert compaction.add[0]["content"][0]["is_error"]
    assert "The summary" in compaction.reply[0]["text"]
    assert after.fresh
    assert after.add[0]["content"] == [{"type": "text", "text": "The summary"}]


def test_the_calls_of_an_agent_are_a_thread_of_their_own(build_demo):
    def progress(second, message, **more):
        said = {"type": message["role"], "message": message, "timestamp": f"2026-02-01T10:00:{second:02d}.000Z"}
        data = {"type": "agent_progress", "agentId": "a1", "message": said}
        return {"type": "progress", "uuid": f"p{second}", "parentToolUseID": "t1", "data": data, **more}

    task = {"type": "tool_use", "id": "t1", "name": "Task", "input": {"subagent_type": "Explore", "prompt": "Go"}}
    made = built(
        build_demo,
        line("user", 0, "Look"),
        line("assistant", 3, [task], id="m1"),
        progress(4, {"role": "user", "content": [{"type": "text", "text": "Go"}]}),
        progress(5, {"role": "assistant", "id": "m9", "model": "claude-haiku-4-5", "content": [use("x")], "usage": {}}),
    )
    main, agent = made.threads
    assert (main.agent, agent.agent, agent.agent_type) == (None, "a1", "Explore")
    assert [(call.role, call.model) for call in agent.calls] == [("subagent", "claude-haiku-4-5")]


def test_the_same_line_twice_counts_once(build_demo):
    asked = line("user", 0, "Look")
    replied = line("assistant", 3, [{"type": "text", "text": "So"}], id="m1", usage={"output_tokens": 4})
    made = built(build_demo, asked, asked, replied, replied)
    (call,) = made.threads[0].calls
    assert len(call.reply) == len(call.add[0]["content"]) == 1
    assert call.output == 4
