"""The real Claude Code at a budget: it stops with the budget's words, or goes on with the cheaper model."""

from sessions import run
from test_claude_code import work_loop

from underspend.testing.fake_upstream import Delivery, Reply

BLOCK = '[budgets.session]\nusd = "0.01"\nwindow = "session"\naction = "block"\n'
DOWNGRADE = (
    '[budgets.session]\nusd = "0.01"\nwindow = "session"\naction = "downgrade"\ndowngrade_to = "claude-haiku-5-5"\n'
)


def works(client):
    client.ask("write a file, read it, change it, show it")


def of_main(made):
    return [row for row in made.rows if row["role"] == "main"]


def test_a_budget_that_blocks_ends_the_turn_with_its_words_and_nothing_is_tried_again(claude, tmp_path):
    made = run(claude, tmp_path, work_loop, works, through_gateway=True, config=BLOCK)
    assert made.results[0]["result"].startswith("The budget 'session' of $0.0100 per session has no room for this call")
    assert "underspend budget raise session" in made.results[0]["result"]
    assert [(row["outcome"], row["status"]) for row in of_main(made)] == [("refused", 200)]
    assert made.bill == 0
    assert made.faults == []


def test_a_session_over_its_budget_completes_on_the_cheaper_model(claude, tmp_path):
    made = run(claude, tmp_path, work_loop, works, through_gateway=True, config=DOWNGRADE)
    assert made.results[0]["result"] == "All done."
    assert {row["model_sent"] for row in of_main(made)} == {"claude-haiku-5-5"}
    assert {row["model_asked"] for row in of_main(made)} != {"claude-haiku-5-5"}
    assert sum(row["cost_pico"] for row in made.rows) == made.bill
    assert made.faults == []


def test_an_error_is_shown_once_where_errors_are_asked_for(claude, tmp_path):
    def fails(client):
        client.ask("write a file", ok=False)

    made = run(
        claude, tmp_path, work_loop, fails, through_gateway=True, config=BLOCK + '[budget_store]\non_breach = "error"\n'
    )
    assert "has no room for this call" in made.results[0]["result"]
    assert [(row["outcome"], row["status"]) for row in of_main(made)] == [("refused", 402)]


def test_a_long_reply_is_ended_at_its_requests_cap_and_claude_code_takes_it_for_whole(claude, tmp_path):
    one = '[budgets.one]\nusd = "0.50"\nwindow = "request"\naction = "block"\nat_cap = "end"\n'
    long = Reply(content="word " * 60_000, delta_chars=400, delivery=Delivery(event_gap_ms=2))

    def asks(client):
        client.ask("tell me everything")

    made = run(claude, tmp_path, lambda work: lambda view: long, asks, through_gateway=True, config=one)
    assert made.results[0]["result"].endswith("it reached the budget 'one' of $0.500 per request.")
    (row,) = of_main(made)
    assert (row["outcome"], row["evidence"]) == ("cut", "estimated")
    assert 0.45 < row["cost_pico"] / 10**12 < 0.55
