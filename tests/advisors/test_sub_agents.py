from hypothesis import given

from advisors.histories_by_hand import MINUTE, NOV, SONNET, history, line, look, reply, result, usage
from advisors.random_histories import histories
from underspend.advisors.sub_agents import SubAgents, crowds, is_agent, useful_output
from underspend.core.advisor import Urgency
from underspend.core.call import Role

CENT = 10**10


def agent(name, start=0, end=10, **known):
    """Writes 2,000 tokens (1 cent), reads them once ($0.0004), writes 500 out (1 cent); 350 characters of text."""
    first = reply(f"{name}1", usage(w5m=2000), at=NOV + start * MINUTE)
    last = reply(f"{name}2", usage(read=2000, out=500), at=NOV + end * MINUTE, text=350)
    return line(first, last, agent=name, **known)


def test_the_economics_of_a_type():
    main = line(reply("m", usage(out=1020)))
    past = history(main, agent("a", agent_type="Explore"), agent("b", agent_type="Explore"), agent("c"))
    found = look(SubAgents, past)["sub-agents/economics"]
    assert found.amount == 0
    assert found.urgency is Urgency.FYI
    # 3 × $0.0204 of $0.0816
    assert found.title == "3 sub-agents cost $0.0612, 75 % of their sessions; $0.0300 to fill caches"
    row = found.rows[0]
    assert row == {
        "agent_type": "Explore",
        "models": "claude-opus-5-5",
        "runs": 2,
        "replies": 4,
        "prefix_tokens_a_run": 2000,
        "prefix": "$0.0200",
        "paid": "$0.0408",
        "useful_tokens": 200,
        "usd_per_1k_useful": "$0.204",
    }
    assert "CLAUDE_CODE_SUBAGENT_MODEL" in found.fix
    assert '"model: sonnet" in the frontmatter' in found.fix


def test_what_the_parent_got_counts_where_it_is_more():
    one = agent("a", parent_use="u")
    assert useful_output(one, {}) == 100
    assert useful_output(one, {"u": 700}) == 200
    assert useful_output(line(), {}) == 0
    found = look(SubAgents, history(line(result("u", 700)), one))["sub-agents/economics"]
    assert found.rows[0]["useful_tokens"] == 200
    silent = line(reply("m", usage(w5m=10)), agent="a")
    assert look(SubAgents, history(silent))["sub-agents/economics"].rows[0]["usd_per_1k_useful"] == "—"


def test_four_at_once_are_fine():
    assert set(look(SubAgents, history(*(agent(f"a{number}") for number in range(4))))) == {"sub-agents/economics"}


def test_those_started_while_four_ran():
    past = history(*(agent(f"a{number}", start=number) for number in range(6)))
    found = look(SubAgents, past)["sub-agents/fan-out"]
    assert found.amount == 2 * CENT
    assert {claim.message_id for claim in found.claims} == {"a41", "a51"}
    assert found.rows == ({"session": "s", "most_at_once": 6, "extra": 2, "prefixes": "$0.0200"},)
    assert "use at most 4 sub-agents" in found.fix


def test_one_after_the_other_is_no_crowd():
    lines = [agent(f"a{number}", start=10 * number, end=10 * number + 9) for number in range(8)]
    assert list(crowds(lines)) == []
    elsewhere = [agent(f"b{number}", session=f"s{number}") for number in range(8)]
    assert list(crowds(elsewhere)) == []


def test_what_a_sub_agent_is():
    assert is_agent(line(role=Role.SUBAGENT))
    assert is_agent(line(agent="a", role=Role.UNKNOWN))
    assert not is_agent(line(agent="a", role=Role.COMPACTION))
    assert not is_agent(line())


def test_models_are_named():
    mixed = line(
        reply("a", usage(w5m=10)), reply("b", usage(), model=SONNET), reply("c", usage(), model=None), agent="a"
    )
    row = look(SubAgents, history(mixed))["sub-agents/economics"].rows[0]
    assert row["models"] == "claude-opus-5-5, claude-sonnet-5-5, unknown"


@given(histories())
def test_any_history(past):
    look(SubAgents, past)
    assert look(SubAgents, history()) == {}
