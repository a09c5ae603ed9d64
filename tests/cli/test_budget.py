import json

import pytest

from cli.conftest import NOW
from stores.ledger_of_budgets import call_row
from underspend.core.holds import Override
from underspend.core.money import from_usd
from underspend.core.windows import HOUR
from underspend.stores.holds.choose import FILE
from underspend.stores.holds.sqlite import SqliteHolds

CONFIG = """
[budgets.day]
usd = "5"
action = "block"
[budgets.chat]
usd = "1"
window = "session"
scope = "project"
"""


@pytest.fixture
def budgets(home):
    (home / "config.toml").write_text(CONFIG)
    return home


def overrides(home):
    holds = SqliteHolds(home / FILE)
    found = holds.overrides(now=NOW)
    holds.close()
    return list(found)


def test_without_budgets_it_says_how_to_have_one(run, home):
    assert "[budgets.day]" in run("budget").output
    assert json.loads(run("budget", "--json").output) == {"budgets": []}


def test_what_the_ledger_has_is_shown_before_a_gateway_was_started(run, budgets, ledger):
    from sqlalchemy import insert

    from underspend.stores.schema import calls

    with ledger.begin() as connection:
        connection.execute(insert(calls).values(call_row("a", from_usd(2), started_at=NOW, project="web", session="s")))
    output = run("budget").output
    assert "$5.00 calendar day" in output
    assert "session s" in output
    found = {row["budget"]: row for row in json.loads(run("budget", "--json").output)["budgets"]}
    assert (found["day"]["spent"], found["day"]["left"], found["chat"]["whose"]) == (2, 3, "project web, session s")
    assert all(len(line) < 100 for line in output.splitlines())


@pytest.mark.parametrize(("how", "cap"), [(("--to", "8"), "8"), (("--by", "1.50"), "6.50")])
def test_a_raise_holds_until_its_end(run, budgets, how, cap):
    output = run("budget", "raise", "day", *how, "--until", "2h").output
    assert output.startswith("day is raised until 18:40 on 20 November (UTC): $")
    assert overrides(budgets) == [Override("day", from_usd(cap), NOW + 2 * HOUR)]
    assert "day is raised until" in run("budget").output


@pytest.mark.parametrize(
    ("until", "said"),
    [("18:00", "18:00 on 20 November"), ("9:30", "09:30 on 21 November"), ("2026-11-21T08:00", "08:00 on 21 November")],
)
def test_an_end_may_be_a_time_of_day(run, budgets, until, said):
    assert f"paused until {said} (UTC)" in run("budget", "pause", "day", "--until", until).output


def test_a_pause_is_for_the_window_or_for_an_hour(run, budgets):
    assert "paused until 00:00 on 21 November" in run("budget", "pause", "day").output
    assert "paused until 17:40 on 20 November" in run("budget", "pause", "chat").output
    until = {each.target: each.until for each in overrides(budgets)}
    assert until["chat"] == NOW + HOUR
    (row,) = json.loads(run("budget", "pause", "day", "--until", "2026-11-22", "--json").output)["budgets"]
    assert (row["paused"], row["changed_until"]) == (True, "2026-11-23T00:00:00Z")


def test_undo_takes_it_back_once(run, budgets):
    run("budget", "pause", "day")
    assert "day is as the settings have it: $5.00" in run("budget", "undo", "day").output
    again = run("budget", "undo", "day")
    assert (again.exit_code, "No raise or pause of day" in str(again.exception)) == (again.exit_code, True)
    assert overrides(budgets) == []


def test_one_account_can_be_changed(run, budgets):
    account = "chat|session||project|web|s"
    run("budget", "pause", "chat", "--account", account)
    assert [each.target for each in overrides(budgets)] == [account]
    run("budget", "undo", "chat", "--account", account)
    assert overrides(budgets) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("raise", "day"), "--to USD or --by USD"),
        (("raise", "day", "--to", "8", "--by", "1"), "--to USD or --by USD"),
        (("raise", "day", "--to", "4"), "a raise never lowers"),
        (("raise", "day", "--to", "many"), "is no amount of dollars"),
        (("raise", "day", "--to", "8", "--until", "yesterday"), "yesterday is over"),
        (("raise", "day", "--to", "8", "--until", "soon"), "'soon' is no time: write"),
        (("pause", "dya"), "No budget dya. There are: day, chat."),
        (("pause", "day", "--account", "chat|x"), "is no account of day"),
    ],
)
def test_what_cannot_be_meant_is_one_clear_line(run, budgets, arguments, said):
    found = run("budget", *arguments)
    assert found.exit_code != 0
    assert said in found.output + str(found.exception)
    assert overrides(budgets) == []


def test_a_store_in_memory_says_how_to_have_one_that_can_be_changed(run, home):
    (home / "config.toml").write_text(CONFIG + '[budget_store]\nurl = "memory:"\n')
    found = run("budget")
    assert "leave [budget_store] url out" in found.output + str(found.exception)
