from collections import Counter
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from audit.histories import DAY, HAIKU, OPUS, START, history, line, reply, sample, tool
from underspend.audit.bills import price
from underspend.audit.days import Days
from underspend.audit.groups import NO_SERVER, NO_TOOL, SUBAGENT, agent_of, counted, grouped, server_of, tool_of
from underspend.audit.totals import total
from underspend.core.call import Role

UTC = Days(ZoneInfo("UTC"))


def test_groups_of_the_sample():
    found = grouped([counted(price(sample()), UTC)])
    assert list(found["by_day"]) == ["2026-11-20", "2026-11-21"]
    assert list(found["by_session"]) == ["s-one", "s-two"]
    assert found["by_session"]["s-one"].requests == 4
    assert list(found["by_model"]) == [OPUS, HAIKU, "claude-unheard-of"]
    assert {name: each.requests for name, each in found["by_agent"].items()} == {"main": 5, "Explore": 1}
    assert found["by_mcp_server"]["jira"].requests == 1
    assert found["by_tool"][NO_TOOL].requests == 2


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3 * DAY),
            st.sampled_from([OPUS, HAIKU, "claude-unheard-of"]),
            st.sampled_from(["a", "b"]),
            st.sampled_from(["Read", "Bash", "mcp__x__y", None]),
            st.integers(0, 10**6),
        ),
        max_size=12,
    )
)
def test_every_kind_of_group_adds_up_to_the_totals(rows):
    lines = [
        line(
            reply(f"m{n}", START + at, (count, 0, 0, 0, 1), model=model, tools=(tool(name),) if name else ()),
            session=session,
        )
        for n, (at, model, session, name, count) in enumerate(rows)
    ]
    billed = price(history(*lines))
    whole = total(billed)
    half = len(billed) // 2
    for groups in grouped([counted(billed[:half], UTC), counted(billed[half:], UTC)]).values():
        merged = total([])
        for each in groups.values():
            merged.merge(each)
        assert merged == whole


def only(made):
    return price(history(made))[0]


def test_a_reply_of_several_tools_counts_under_the_one_used_most():
    uses = (tool("Read", use="1"), tool("mcp__jira__get", use="2"), tool("mcp__jira__get", use="3"))
    assert tool_of(only(line(reply("m", tools=uses)))) == "mcp__jira__get"
    assert server_of("mcp__jira__get") == "jira"
    assert tool_of(only(line(reply("m", tools=uses[:2])))) == "Read"
    assert server_of(NO_TOOL) == NO_SERVER


def test_agents_are_named_by_type_else_as_sub_agents_else_by_role():
    assert agent_of(only(line(reply("m"), agent="x", agent_type="Plan"))) == "Plan"
    assert agent_of(only(line(reply("m"), agent="x"))) == SUBAGENT
    assert agent_of(only(line(reply("m"), role=Role.SIDE))) == "side"
    assert Counter([agent_of(only(line(reply("m"))))]) == {"main": 1}
