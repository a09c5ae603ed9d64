"""The real Claude Code through a gateway whose strategies act: every edited request is one that the provider takes."""

import pytest
from sessions import run
from test_claude_code import PICO

from underspend.testing.fake_upstream import Call, Reply, Routed, ToolLoop

SUMMARY = Reply(content="<analysis>short</analysis>\n<summary>We looked at files.</summary>")
SHAPING = ("dedupe_reads", "trim_results", "drop_stale_results", "cold_prune", "trim_history")
CONFIG = "\n".join(f'[strategies.{name}]\nstate = "on"\n' for name in SHAPING)
CACHE = '[strategies.cache_ttl]\nstate = "on"\n[strategies.cache_breakpoints]\nstate = "on"\n'
POLICIES = {"contents": CONFIG, "cache": CACHE, "everything": CONFIG + CACHE}


def long_work(work):
    """Reads the same files again after changes, and prints more than anyone wants to read."""
    big = str(work / "big.txt")
    calls = [Call("Write", {"file_path": big, "content": "a line of the file\n" * 900})]
    for n in range(6):
        calls += [
            Call("Bash", {"command": f"cat big.txt; echo {n}", "description": "show"}),
            Call("Read", {"file_path": big}),
            Call("Bash", {"command": f"seq {n} {n + 4000}", "description": "count"}),
        ]
    loop = ToolLoop(*calls, final="All looked at.")
    return Routed(roles={"compaction": lambda view: SUMMARY}, default=loop)


def ask_twice(client):
    first = client.ask("look at the file again and again")
    client.ask("and once more", "--resume", first["session_id"])


@pytest.fixture(scope="module")
def direct(claude, tmp_path_factory):
    return run(claude, tmp_path_factory.mktemp("direct"), long_work, ask_twice, through_gateway=False)


@pytest.fixture(scope="module", params=POLICIES)
def edited(request, claude, tmp_path_factory):
    folder = tmp_path_factory.mktemp("edited")
    made = run(claude, folder, long_work, ask_twice, through_gateway=True, config=POLICIES[request.param])
    return request.param, made


def test_the_provider_takes_every_request_and_nothing_fails(edited):
    _, made = edited
    assert made.faults == []
    assert {seen.status for seen in made.calls} == {200}


def test_the_client_goes_on_as_without(direct, edited):
    _, made = edited
    said = [(each["result"], each["num_turns"]) for each in made.results]
    assert said == [(each["result"], each["num_turns"]) for each in direct.results]


def test_the_ledger_is_the_providers_bill(edited):
    _, made = edited
    assert sum(row["cost_pico"] for row in made.rows) == made.bill


def test_without_us_is_what_the_session_cost_without_us(direct, edited):
    _, made = edited
    without_us = sum(row["without_us_pico"] for row in made.rows)
    assert without_us / PICO == pytest.approx(direct.bill / PICO, rel=0.01)


def test_something_was_saved(direct, edited):
    name, made = edited
    if name != "cache":
        assert made.bill < direct.bill * 0.95
    assert made.bill <= direct.bill * 1.02
