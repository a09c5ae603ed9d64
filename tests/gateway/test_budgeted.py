"""Budgets in the real gateway: settings, restarts, commands while it runs, two gateways on one store."""

import asyncio
import json
import time
from contextlib import ExitStack, closing
from types import SimpleNamespace

import pytest
import running
from doubles import FixedClock
from raw_upstream import RawUpstream
from replies import BODY, STREAM_BODY, STREAM_END, STREAM_HEAD, chunk, events, http_json, message

from underspend.config import load
from underspend.core.holds import HoldsError, Override
from underspend.core.windows import SECOND
from underspend.gateway.budgeted import Book, downgrades, gate_of, keeper_of, opened_holds
from underspend.gateway.status import Status
from underspend.pricing.catalogue import catalogue
from underspend.pricing.forecast import Forecast
from underspend.stores.holds.memory import MemoryHolds
from underspend.stores.holds.sqlite import SqliteHolds

DAY = '[budgets.day]\nusd = "0.05"\naction = "block"\nwindow = "calendar month"\n'
MAIN = {"x-claude-code-request-class": "main"}


def settings(folder, text):
    return load(home=folder, environ={}, text=text)


def status():
    return Status(clock=FixedClock(), version="test")


def test_no_budgets_need_no_store(tmp_path):
    assert opened_holds(settings(tmp_path, ""), status(), ExitStack()) is None


def test_the_store_is_opened_as_it_is_said_and_closed_in_the_end(tmp_path):
    with ExitStack() as stack:
        opened = opened_holds(settings(tmp_path, DAY + '[budget_store]\nurl = "memory:"\n'), status(), stack)
        assert isinstance(opened, MemoryHolds)
        shared = f'[budget_store]\nurl = "sqlite:///{tmp_path}/shared.db"\n'
        assert isinstance(opened_holds(settings(tmp_path, DAY + shared), status(), stack), SqliteHolds)
    assert (tmp_path / "shared.db").exists()


def test_a_store_that_cannot_be_opened_stops_the_start_only_where_a_budget_blocks(tmp_path):
    away = '[budget_store]\nurl = "sqlite:////nowhere/at/all.db"\n'
    with pytest.raises(HoldsError, match="nowhere"):
        opened_holds(settings(tmp_path, DAY + away), status(), ExitStack())
    seen = status()
    assert opened_holds(settings(tmp_path, DAY.replace("block", "warn") + away), seen, ExitStack()) is None
    assert "Nothing is counted" in seen.snapshot()["faults"][0]["message"]


def test_settings_reach_the_guard_and_the_gate(tmp_path):
    text = (
        DAY
        + '[budgets.s]\nusd = "1"\nwindow = "session"\naction = "downgrade"\ndowngrade_to = "claude-haiku-5-5"\n'
        + '[budget_store]\nhold_seconds = 7\nreserve = "learned"\non_breach = "error"\n[subscription]\nact = true\n'
    )
    made = settings(tmp_path, text)
    prices = catalogue()
    book = Book(None, SimpleNamespace(health=None), prices)
    keeper = keeper_of(made, MemoryHolds(), status(), FixedClock(), book, on_crossing=print)
    assert (keeper.life, keeper.on_crossing, keeper.holding.learned, keeper.holding.subscription) == (
        7 * SECOND,
        print,
        True,
        True,
    )
    router = SimpleNamespace(why_not=lambda asked, model: None)
    books = SimpleNamespace(catalogue=prices)
    gate = gate_of(made, keeper, books, Forecast(prices), places=(), refuses=lambda *_: None, router=router)
    assert (gate.answering.how, [each.name for each in gate.downgrading.budgets]) == ("error", ["s"])
    assert downgrades(made)
    plain = settings(tmp_path, DAY)
    assert gate_of(plain, keeper, books, Forecast(prices), places=(), refuses=None, router=router).downgrading is None
    assert not downgrades(plain)


@pytest.fixture
def upstream():
    with RawUpstream(script=lambda received: iter([http_json(message())])) as made:
        yield made


def shown(home, *arguments):
    from click.testing import CliRunner

    from underspend.cli import main

    found = CliRunner().invoke(main.underspend, ["budget", *arguments, "--home", str(home)])
    assert found.exit_code == 0, found.output
    return found.output


def standing(home):
    (row,) = json.loads(shown(home, "--json"))["budgets"]
    return row


def settled(home, spent):
    for _ in range(200):
        if standing(home)["spent"] == spent:
            return
        time.sleep(0.02)
    pytest.fail(f"never: {standing(home)}")


def test_a_restart_knows_what_was_spent_and_commands_work_while_it_runs_and_while_not(start, upstream, monkeypatch):
    gateway = start(upstream.url, config=DAY)
    home = gateway.home
    monkeypatch.setenv("UNDERSPEND_HOME", str(home))
    body = {**BODY, "max_tokens": 1000}
    assert gateway.post("/v1/messages", body, MAIN)[0] == 200
    settled(home, 0.0006)
    for _ in range(2):
        gateway.kill()
        gateway.process.stdout.close()
        assert standing(home)["spent"] == 0.0006
        gateway = start(upstream.url, home=home)
        assert standing(home)["spent"] == 0.0006
        big = {**BODY, "max_tokens": 2_450}
        assert "has no room for this call" in gateway.post("/v1/messages", big, MAIN)[2].decode()
    assert "raised until" in shown(home, "raise", "day", "--to", "5", "--until", "2h")
    assert gateway.post("/v1/messages", {**BODY, "max_tokens": 2_450}, MAIN)[1].get("x-underspend-budget") is None
    shown(home, "undo", "day")
    assert gateway.post("/v1/messages", {**BODY, "max_tokens": 2_450}, MAIN)[1]["x-underspend-budget"] == "day"
    shown(home, "pause", "day")
    gateway.stop()
    assert standing(home)["paused"]


def test_two_gateways_share_a_budget_by_the_url_of_its_store(start, upstream, tmp_path):
    config = DAY + f'[budget_store]\nurl = "sqlite:///{tmp_path}/shared.db"\n'
    both = [start(upstream.url, home=tmp_path / name, config=config) for name in ("one", "two")]
    body = {**BODY, "max_tokens": 1500}
    answers = []
    for turn in range(40):
        gateway = both[turn % 2]
        answers.append(gateway.post("/v1/messages", body)[0])
        time.sleep(0.05)  # until the other knows what it cost
    assert answers.count(200) == answers[: answers.count(200)].count(200)
    assert set(answers) == {200, 402}
    spent = [sum(row["cost_pico"] for row in gateway.rows(wait_for=20)) for gateway in both]
    assert min(spent) > 0
    settled(both[0].home, sum(spent) / 10**12)


def test_a_call_a_killed_gateway_had_under_way_is_counted_and_lets_its_room_go(start, tmp_path):
    def slow(received):
        yield STREAM_HEAD
        yield chunk(events()[0])
        time.sleep(5)
        yield STREAM_END

    with RawUpstream(script=slow) as upstream:
        gateway = start(upstream.url, config=DAY + "[budget_store]\nhold_seconds = 3\n")
        home = gateway.home
        with closing(gateway.connection()) as connection:
            connection.request("POST", "/v1/messages", json.dumps(STREAM_BODY), {"content-type": "application/json"})
            with closing(connection.getresponse()) as response:
                response.read(10)
                assert standing(home)["held"] > 0.02
                gateway.kill()
        gateway.process.stdout.close()
        start(upstream.url, home=home)
        for _ in range(300):
            found = standing(home)
            if not found["held"]:
                break
            time.sleep(0.02)
    (row,) = running.ledger_rows(home)
    assert row["outcome"] == "interrupted"
    assert (found["held"], found["spent"]) == (0, row["cost_pico"] / 10**12)


def test_what_a_threshold_is_shows_in_status(start, upstream):
    gateway = start(upstream.url, config=DAY.replace("0.05", "0.001").replace("block", "warn") + "[runaway]\n")
    gateway.post("/v1/messages", BODY)
    for _ in range(200):
        if gateway.status()["budgets"]["crossings"]:
            break
        time.sleep(0.02)
    (crossing,) = gateway.status()["budgets"]["crossings"]
    assert (crossing["budget"], crossing["percent"]) == ("day", 50)
    (alert,) = gateway.status()["alerts"]["recent"]
    assert alert["kind"] == "budget"


def test_an_override_in_the_file_is_seen_at_the_next_call(tmp_path):
    first, second = (SqliteHolds(tmp_path / "h.db") for _ in range(2))
    first.override(Override("day", None, 10))
    assert asyncio.run(asyncio.to_thread(second.overrides, now=5))[0].target == "day"
    first.close()
    second.close()
