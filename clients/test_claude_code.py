"""The real Claude Code, the same session twice: straight to the fake upstream, and through the gateway."""

import json
from collections import Counter

import pytest
from sessions import run

from underspend.testing.fake_upstream import (
    Call,
    Delivery,
    Fault,
    Queue,
    Reply,
    Routed,
    ToolLoop,
    in_turn,
    prompt_too_long,
)

SUMMARY = Reply(content="<analysis>short</analysis>\n<summary>We wrote a file.</summary>")
PICO = 10**12


def work_loop(work):
    file = str(work / "a.txt")
    return ToolLoop(
        Call("Write", {"file_path": file, "content": "one\ntwo\n"}),
        Call("Read", {"file_path": file}),
        Call("Edit", {"file_path": file, "old_string": "two", "new_string": "three"}),
        [
            Call("Bash", {"command": "cat a.txt", "description": "show"}),
            Call("Bash", {"command": "ls", "description": "list"}),
        ],
        final="All done.",
    )


def with_summary(script):
    return Routed(roles={"compaction": lambda view: SUMMARY}, default=script)


def tools(client):
    client.ask("write a file, read it, change it, show it")


def resume(client):
    first = client.ask("write a file")
    client.ask("go on", "--resume", first["session_id"])
    client.ask("go on with another model", "--resume", first["session_id"], "--model", "haiku")


def fork(client):
    first = client.ask("write a file")
    client.ask("go another way", "--resume", first["session_id"], "--fork-session")


def compaction(client):
    first = client.ask("write a file")
    client.ask("/compact", "--resume", first["session_id"])
    client.ask("and now?", "--resume", first["session_id"])


def auto_mode(client):
    client.ask("write a file", "--permission-mode", "auto")


def agents(work):
    ask = Call(
        "Agent",
        {
            "description": "count",
            "prompt": "COUNT the files",
            "subagent_type": "general-purpose",
            "run_in_background": False,
        },
    )
    child = ToolLoop(Call("Bash", {"command": "ls", "description": "list"}), final="There is one file.")
    return Routed(agent_prompts={"COUNT": child}, default=ToolLoop(ask, final="The agent counted."))


def overloaded(work):
    return in_turn(Queue([Fault(status=529), Fault(status=529)], roles=["main"]), work_loop(work))


def cut(work):
    spoiled = Reply(content="This is going to be cut before it is whole.", delivery=Delivery(cut_after_event=4))
    return in_turn(Queue([spoiled, spoiled], roles=["main"]), work_loop(work))


def broken_stream(work):
    spoiled = Reply(content="This ends in an error.", delivery=Delivery(error_after_event=4))
    return in_turn(Queue([spoiled], roles=["main"]), work_loop(work))


def too_long(work):
    loop = work_loop(work)
    asked = []

    def script(view):
        if view.role == "main" and len(view.json.get("messages", [])) > 5 and not asked:
            asked.append(1)
            return prompt_too_long(1_000_001, 1_000_000)
        return loop(view)

    return script


def slow(work):
    return in_turn(
        Queue([Reply(content="Slow but whole.", delivery=Delivery(ttfb_ms=1500, event_gap_ms=200, gzip=True))]),
        work_loop(work),
    )


SESSIONS = {
    "tools": (work_loop, tools),
    "sub-agent": (agents, tools),
    "resume": (work_loop, resume),
    "fork": (work_loop, fork),
    "compaction": (work_loop, compaction),
    "auto mode": (work_loop, auto_mode),
    "overloaded": (overloaded, tools),
    "too long": (too_long, tools),
    "slow and gzipped": (slow, tools),
    "cut streams": (cut, tools),
    "error in the stream": (broken_stream, tools),
}
SPOILED = {"cut streams", "error in the stream"}


@pytest.fixture(scope="module", params=SESSIONS)
def pair(request, claude, tmp_path_factory):
    script, play = SESSIONS[request.param]
    folder = tmp_path_factory.mktemp("session")

    def scripts(work):
        return with_summary(script(work))

    direct = run(claude, folder, scripts, play, through_gateway=False)
    through = run(claude, folder, scripts, play, through_gateway=True)
    return request.param, direct, through


def shape(seen):
    """What must be the same in both runs: ids, times and sizes of random text differ by nature."""
    body = json.loads(seen.body)
    return (
        seen.method,
        seen.target,
        body["model"],
        body.get("stream"),
        tuple(body),
        tuple(tool["name"] for tool in body.get("tools", ())),
        [message["role"] for message in body["messages"]],
        json.dumps(body).count("cache_control"),
        seen.header("anthropic-beta"),
        seen.header("anthropic-version"),
        seen.header("user-agent"),
        sorted(name.lower() for name, _ in seen.headers if name.lower() not in {"connection", "host"}),
    )


def test_upstream_sees_the_same_requests(pair):
    _, direct, through = pair
    assert [shape(seen) for seen in through.calls] == [shape(seen) for seen in direct.calls]
    assert len(through.upstream.requests) == len(direct.upstream.requests)


def test_the_client_gets_the_same(pair):
    _, direct, through = pair
    for key in ("result", "is_error", "num_turns", "subtype", "stop_reason"):
        assert [result.get(key) for result in through.results] == [result.get(key) for result in direct.results]
    assert not through.faults


def test_the_prompt_cache_hits_as_often(pair):
    _, direct, through = pair
    assert lanes(through) == pytest.approx(lanes(direct), rel=0.02)


def lanes(made):
    total = Counter()
    for seen in made.calls:
        total.update({k: v for k, v in (seen.usage or {}).items() if isinstance(v, int) and "cache" in k})
    return dict(total)


def test_the_ledger_is_the_providers_bill(pair):
    name, _, through = pair
    billed = [row for row in through.rows if row["evidence"] == "billed"]
    by_message = {seen.message_id: seen.bill.picodollars for seen in through.calls if seen.message_id}
    for row in billed:
        assert row["cost_pico"] == by_message.get(row["message_id"], 0), dict(row)
    if name not in SPOILED:
        assert len(billed) == len(through.rows)
        assert sum(row["cost_pico"] for row in billed) == through.bill
        by_session = {session: bill.picodollars for session, bill in through.upstream.bill_by_session().items()}
        ours = Counter()
        for row in through.rows:
            ours[row["session"]] += row["cost_pico"]
        assert {session: cost for session, cost in ours.items() if cost} == {s: c for s, c in by_session.items() if c}


def test_replies_that_broke_off_are_estimates_with_the_right_prompt(pair):
    name, _, through = pair
    broken = [row for row in through.rows if row["evidence"] == "estimated"]
    assert bool(broken) == (name in SPOILED)
    by_message = {seen.message_id: seen for seen in through.calls}
    for row in broken:
        usage = by_message[row["message_id"]].usage
        assert row["input_tokens"] == usage["input_tokens"]
        assert row["cache_read_tokens"] == usage["cache_read_input_tokens"]
        assert row["cache_write_5m_tokens"] + row["cache_write_1h_tokens"] == usage["cache_creation_input_tokens"]


def test_every_request_is_a_row_that_says_who_asked(pair):
    name, _, through = pair
    assert len(through.rows) == len([seen for seen in through.upstream.requests if seen.method == "POST"])
    roles = Counter(row["role"] for row in through.rows)
    assert roles["main"]
    assert bool(roles["subagent"]) == (name == "sub-agent")
    assert bool(roles["compaction"]) == (name in {"compaction", "too long"})
    for row in through.rows:
        assert row["session"]
        assert row["turn"]
        assert row["project"] == "work"
        assert row["billing"] == "api_key"
        assert bool(row["agent"]) == (row["role"] == "subagent")


def test_the_clients_own_cost_is_ours(pair):
    """Where the client can know it: it does not count replies that broke off, nor a forked session's parent twice."""
    name, _, through = pair
    if name in SPOILED:
        pytest.skip("the client does not count replies that broke off")
    total = sum(row["cost_pico"] for row in through.rows)
    assert through.client_cost == pytest.approx(total / PICO, abs=1e-9)
