"""The real Claude Code in a loop, and over a rate limit: it stops where it is told to, and waits where it has to."""

from sessions import run
from test_claude_code import work_loop

from underspend.testing.fake_upstream import Call, Reply, Routed, ToolLoop, tool_use

LOOP = Reply(content=(tool_use("Bash", {"command": "make test", "description": "run the tests"}),))


def endless(work):
    """A model that runs the same failing command for ever; after another prompt it stops."""
    asked = {"again": Reply(content="I looked at the Makefile.")}
    return Routed(default=lambda view: asked["again"] if b"another way" in view.body else LOOP)


def loops(client):
    first = client.ask("make the tests pass")
    client.ask("go another way", "--resume", first["session_id"])


def of_main(made, outcome):
    return [row for row in made.rows if row["role"] == "main" and row["outcome"] == outcome]


def test_a_loop_ends_with_the_words_of_the_pause_and_the_next_prompt_goes_on(claude, tmp_path):
    made = run(claude, tmp_path, endless, loops, through_gateway=True, config='[runaway]\nloops = "pause"\n')
    paused, after = made.results
    assert paused["result"].startswith("Paused by Underspend. Bash failed 8 times in a row")
    assert f"underspend alerts resume {paused['session_id']}" in paused["result"]
    assert after["result"] == "I looked at the Makefile."
    assert len(of_main(made, "refused")) == 1
    assert made.faults == []


def works(client):
    client.ask("write a file, read it, change it, show it")


def test_a_limit_makes_it_wait_and_it_completes_all_the_same(claude, tmp_path):
    config = '[rate_limits.slow]\nmost = 1\nwithin = "2s"\n'
    made = run(claude, tmp_path, work_loop, works, through_gateway=True, config=config)
    assert made.results[0]["result"] == "All done."
    assert {row["status"] for row in of_main(made, "refused")} == {429}
    assert {seen.status for seen in made.calls} == {200}


def is_limited(client):
    client.ask("write a file, read it, change it, show it", ok=False)


def test_a_limit_that_would_take_too_long_is_told_at_once(claude, tmp_path):
    config = '[rate_limits.few]\nmost = 2\nwithin = "1d"\n'
    made = run(claude, tmp_path, work_loop, is_limited, through_gateway=True, config=config)
    assert "The rate limit few (2 calls per 86,400 s, 2 at once) is reached" in made.results[0]["result"]
    assert len(of_main(made, "refused")) == 1


def sub_agent_loops(work):
    """A model that gives the work to a sub-agent, which runs the same failing command for ever."""
    prompt = {"description": "tests", "prompt": "Make the tests pass.", "subagent_type": "general-purpose"}
    main = ToolLoop(Call("Agent", {**prompt, "run_in_background": False}), final="The sub-agent was paused.")
    return Routed(roles={"subagent": lambda view: LOOP}, default=main)


def delegates(client):
    client.ask("let somebody make the tests pass")


def test_a_sub_agents_loop_ends_alone_and_the_main_loop_hears_of_it(claude, tmp_path):
    made = run(
        claude, tmp_path, sub_agent_loops, delegates, through_gateway=True, config='[runaway]\nloops = "pause"\n'
    )
    assert made.results[0]["result"] == "The sub-agent was paused."
    assert any(b"Paused by Underspend. Bash failed 8 times" in (seen.body or b"") for seen in made.calls)
    assert of_main(made, "refused") == []
    assert len([row for row in made.rows if row["role"] == "subagent" and row["outcome"] == "refused"]) <= 2
