from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.transcripts import (
    FIXTURES,
    OTHER,
    SESSION,
    answered,
    assistant,
    entry,
    nested,
    taken,
    taken_from,
    tool,
    user,
)
from underspend.readers.claude_code.extract import moment


def test_an_unknown_entry_is_counted_and_costs_nothing() -> None:
    found = taken(entry("hologram"), entry("hologram"), entry("file-history-snapshot"), assistant())
    assert found.unknown == {"hologram": 2}
    assert len(answered(found)) == 1


@pytest.mark.parametrize("kind", [None, 7, {}])
def test_an_entry_of_no_type_is_counted(kind: object) -> None:
    assert taken(entry("x") | {"type": kind}).unknown == {"(none)": 1}


def test_an_inline_sidechain_is_an_agent() -> None:
    task = assistant("msg_1", tool("toolu_task", "Task", subagent_type="Explore", prompt="Look."))
    first = user("Look.", isSidechain=True)
    reply = assistant("msg_2", isSidechain=True, parentUuid=first["uuid"])
    found = taken(task, first, reply)
    main, side = found.parts
    assert (main.agent, side.agent, side.inline) == (None, first["uuid"], True)
    assert (side.agent_type, side.parent_use) == ("Explore", "toolu_task")
    assert [item.message_id for item in side.answered] == ["msg_2"]


def test_two_inline_sidechains_are_two_agents() -> None:
    one, two = user("One", isSidechain=True), user("Two", isSidechain=True)
    lines = [assistant(f"msg_{i}", isSidechain=True, parentUuid=root["uuid"]) for i, root in enumerate((one, two))]
    assert [part.agent for part in taken(one, two, *lines).parts] == [one["uuid"], two["uuid"]]


def test_nested_replies_are_known_from_progress_alone() -> None:
    task = assistant("msg_1", tool("toolu_task", "Agent", subagent_type="Plan", prompt="p"))
    found = taken(task, nested("a1", assistant("msg_2")))
    main, agent = found.parts
    assert (agent.agent, agent.nested, agent.parent_use, agent.agent_type) == ("a1", True, "toolu_task", "Plan")
    assert [reply.nested for reply in agent.answered] == [True]
    assert [reply.nested for reply in main.answered] == [False]


def test_a_reply_that_is_also_a_line_is_not_nested() -> None:
    found = taken(nested("a1", assistant("msg_2")), assistant("msg_2", isSidechain=True, agentId="a1"))
    assert [(reply.message_id, reply.nested) for reply in answered(found)] == [("msg_2", False)]


@pytest.mark.parametrize("data", [None, 7, {"type": "agent_progress"}, {"type": "agent_progress", "message": 3}])
def test_progress_of_another_form(data: object) -> None:
    assert answered(taken(entry("progress", data=data), assistant()))[0].message_id == "msg_1"


def test_an_agents_file_is_of_its_session(tmp_path: Path) -> None:
    path = tmp_path / SESSION / "subagents" / "agent-a17.jsonl"
    path.parent.mkdir(parents=True)
    path.with_name("agent-a17.meta.json").write_text('{"agentType":"Explore","toolUseId":"toolu_1"}')
    lines = assistant("msg_1", isSidechain=True)
    found = taken(lines, path=str(path), is_agent=True)
    assert (found.session, found.parts[0].agent) == (SESSION, "a17")
    assert (found.parts[0].agent_type, found.parts[0].parent_use) == ("Explore", "toolu_1")


def test_an_agents_file_that_names_no_session() -> None:
    found = taken(assistant(sessionId=None), path=f"/p/{SESSION}/subagents/agent-a1.jsonl", is_agent=True)
    assert found.session == SESSION


def test_the_name_of_the_file_is_the_session() -> None:
    assert taken(assistant(sessionId=OTHER)).session == SESSION


def test_else_most_of_its_entries_say() -> None:
    lines = [assistant(sessionId=OTHER), user("a"), user("b")]
    assert taken(*lines, path="/p/exported.jsonl").session == SESSION
    assert taken(b"{}", path="/p/exported.jsonl").session == "exported"


def test_the_clients_own_total() -> None:
    first = entry("cost-state", totalCostUSD=0.5, modelUsage={})
    models = {"claude-opus-5-5[1m]": {"inputTokens": 3, "costUSD": 0.7, "outputTokens": None}, "x": 7}
    last = entry("cost-state", totalCostUSD=0.75, modelUsage=models)
    found = taken(assistant(), first, last)
    (total,) = found.totals
    assert (total.session, total.usd, total.place.line) == (SESSION, "0.75", 3)
    assert total.by_model == {"claude-opus-5-5[1m]": {"inputTokens": 3, "outputTokens": 0}, "x": {}}
    assert total.covers == found.last


@pytest.mark.parametrize("more", [{"totalCostUSD": None}, {"modelUsage": None}, {"modelUsage": [1]}, {}])
def test_a_total_of_another_form(more: dict[str, object]) -> None:
    assert len(taken(entry("cost-state", **more)).totals) == 1


def test_copies_name_the_session_that_made_them() -> None:
    lines = [
        assistant("msg_1", requestSessionId=OTHER),
        assistant("msg_2", forkedFrom={"sessionId": OTHER}),
        assistant("msg_3", forkedFrom=None, requestSessionId=SESSION),
    ]
    assert taken(*lines).foreign == ["msg_1", "msg_2"]


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("1970-01-01T00:00:01.500Z", 1_500_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:02", 2_000_000),
        ("1970-01-01T00:00:xx.500Z", 0),
        ("yesterday", 0),
        ("0001-01-01T00:00:00.000Z", 0),
        ("", 0),
    ],
)
def test_moments(value: str, at: int) -> None:
    assert moment(value) == at


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments_are_those_of_the_calendar(at: datetime) -> None:
    at = at.replace(year=1970 + at.year % 200, day=min(at.day, 28))
    shown = at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    expected = int(at.replace(microsecond=0).timestamp()) * 10**6
    assert moment(shown) == moment(shown) == expected + at.microsecond // 1000 * 1000


def test_an_entry_without_a_time_has_that_of_the_one_before() -> None:
    first, second = assistant("msg_1"), assistant("msg_2", timestamp=None)
    one, two = answered(taken(first, second))
    assert one.at == two.at > 0


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_real_transcripts_are_understood_whole(path: Path) -> None:
    found = taken_from(path.read_bytes(), f"/p/{path.name}")
    ids = {
        item["message"]["id"]
        for item in map(json.loads, path.read_text(encoding="utf-8").splitlines())
        if item.get("type") == "assistant" and item["message"]["model"] != "<synthetic>"
    }
    assert (found.unknown, found.skipped) == ({}, [])
    assert {reply.message_id for reply in answered(found)} == ids
