"""The real Claude Code with a router behind it: its sub-agents are sent to cheaper models, and it does not notice."""

import pytest
from sessions import run
from test_claude_code import agents, tools, work_loop

CONFIG = """
[routing]
explore = 0

[strategies.auto_model]
state = "on"
mode = "aggressive"
preference = "cheapest"
sees_all = true
route_pinned = [{opened}]
"""
SUBAGENTS = CONFIG.format(opened='"subagent"')
EVERYTHING = CONFIG.format(opened='"main", "subagent"')


def ask_for_agents(client):
    client.ask("let an agent count")


def played(claude, folder, script, play, config):
    direct = run(claude, folder / "direct", script, play, through_gateway=False)
    return direct, run(claude, folder / "routed", script, play, through_gateway=True, config=config)


def models(made, role):
    return {row["model_sent"] for row in made.rows if row["role"] == role}


@pytest.fixture(scope="module", params=["sub-agents", "everything"])
def session(request, claude, tmp_path_factory):
    folder = tmp_path_factory.mktemp("routing")
    if request.param == "sub-agents":
        return request.param, *played(claude, folder, agents, ask_for_agents, SUBAGENTS)
    return request.param, *played(claude, folder, work_loop, tools, EVERYTHING)


def test_the_session_ends_as_it_does_without(session):
    _, direct, made = session
    assert made.faults == []
    said = [(each["result"], each["num_turns"]) for each in made.results]
    assert said == [(each["result"], each["num_turns"]) for each in direct.results]
    assert {seen.status for seen in made.calls} == {200}


def test_what_was_opened_is_routed_and_nothing_else(session):
    name, _, made = session
    asked = {row["model_asked"] for row in made.rows if row["role"] == "main"}
    if name == "everything":
        assert models(made, "main").isdisjoint(asked)
    else:
        assert models(made, "main") == asked
        assert models(made, "subagent").isdisjoint(asked)
    side = [row for row in made.rows if row["role"] == "side"]
    assert all(row["model_sent"] == row["model_asked"] for row in side)


def test_a_slot_has_one_model(session):
    _, _, made = session
    for role in ("main", "subagent"):
        assert len(models(made, role)) <= 1


def test_the_ledger_is_the_providers_bill(session):
    _, direct, made = session
    assert sum(row["cost_pico"] for row in made.rows) == made.bill
    assert made.bill < direct.bill


def test_what_was_saved_is_the_difference_to_the_session_without_us(session):
    _, direct, made = session
    assert sum(row["without_us_pico"] for row in made.rows) == pytest.approx(direct.bill, rel=0.02)
