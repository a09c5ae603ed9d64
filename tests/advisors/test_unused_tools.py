from hypothesis import given

from advisors.histories_by_hand import MINUTE, NOV, around, history, line, look, reply, usage
from advisors.random_histories import histories
from underspend.advisors.claimed import Claimed
from underspend.advisors.unused_tools import CarriedTools, UnusedTools, server_of
from underspend.core.advisor import Confidence
from underspend.core.history import AlwaysLoaded


def loaded(session, name, size):
    kind = "mcp_tool" if name.startswith("mcp__") else "tool"
    return AlwaysLoaded(session=session, kind=kind, name=name, size=size)


def session(name, *tools):
    return line(
        reply(f"{name}1", usage(w5m=9000), tools=tools),
        reply(f"{name}2", usage(read=9000, w5m=100), at=NOV + MINUTE),
        session=name,
    )


def test_a_server_nobody_asked():
    sizes = [loaded("s", "mcp__db__query", 2800), loaded("s", "mcp__db__list", 700), loaded("s", "mcp__web__get", 350)]
    past = history(session("s", "mcp__web__get"), always_loaded=sizes)
    found = look(UnusedTools, past)
    assert set(found) == {"unused-tools/db"}
    one = found["unused-tools/db"]
    assert one.amount == 1000 * (5_000_000 + 200_000)  # 3,500 characters are 1,000 tokens: written once, read once
    assert one.confidence is Confidence.LOW
    assert [(row["tool"], row["tokens"], row["usd"]) for row in one.rows] == [
        ("mcp__db__query", 800, "$0.00416"),
        ("mcp__db__list", 200, "$0.00104"),
    ]
    assert "claude mcp remove db" in one.fix
    assert "ENABLE_TOOL_SEARCH" in one.fix


def test_sub_agents_and_repeated_snapshots_do_not_count_twice():
    agent = line(reply("a", usage(w5m=9000)), agent="a")
    sizes = [loaded("s", "mcp__db__query", 3500)] * 3
    found = look(UnusedTools, history(session("s"), agent, always_loaded=sizes))
    assert found["unused-tools/db"].amount == 1000 * 5_200_000


def test_three_sessions_are_enough_to_be_sure():
    past = history(
        *(session(name) for name in "abc"), always_loaded=[loaded(name, "mcp__db__query", 3500) for name in "abc"]
    )
    assert look(UnusedTools, past)["unused-tools/db"].confidence is Confidence.MEDIUM


def test_the_clients_own_tools_only_after_some_sessions_and_never_the_needed_ones():
    def sessions(names):
        tools = [loaded(name, tool, 3500) for name in names for tool in ("Workflow", "Edit", "ToolSearch", "Cron")]
        return history(*(session(name, "Cron") for name in names), always_loaded=tools)

    assert look(UnusedTools, sessions("abcd")) == {}
    found = look(UnusedTools, sessions("abcde"))["unused-tools/built-in"]
    assert [row["tool"] for row in found.rows] == ["Workflow"]
    assert found.amount == 5 * 1000 * 5_200_000
    assert '"permissions": {"deny": ["Workflow"]}' in found.fix


def test_the_parts_it_is_made_of():
    assert server_of("mcp__db__query") == "db"
    assert server_of("Read") is None
    past = history(session("s"), session("t"), always_loaded=[loaded(name, "A", 3500) for name in "sst"])
    surroundings = around(past)
    carried, claimed = CarriedTools(past, surroundings), Claimed(surroundings.bills)
    assert carried.sizes == {"s": {"A": 3500}, "t": {"A": 3500}}
    assert carried.claim({"A"}, claimed, {"t"}) == ["t"]
    assert claimed.total == 1000 * 5_200_000


@given(histories())
def test_any_history(past):
    look(UnusedTools, past)
    assert look(UnusedTools, history()) == {}
