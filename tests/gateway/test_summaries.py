"""Summaries on the wire: made in a pause, sent with the next call, repeated, billed, and said in the books."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
import running
from doubles import daily
from summed_up import CHEAP, ON, SAID, Chat, On, policy

from underspend.core.budgets import Scope
from underspend.core.call import BillingMode, Role
from underspend.gateway.holdout import Holdout
from underspend.gateway.summaries import NAME
from underspend.testing.fake_upstream import run_in_thread
from underspend.testing.fake_upstream.clock import FakeClock
from underspend.testing.fake_upstream.faults import Fault
from underspend.testing.fake_upstream.replies import Reply


async def session(gateway, turns=6, after=4, pause=600, before=5):
    """Some turns, a pause, and more turns."""
    chat = Chat()
    for number in range(turns + after):
        if number == turns:
            await gateway.pause(pause)
        for body in chat.turn():
            await gateway.send(body)
            gateway.clock.advance(before)
    return chat


def played(steps=(), **options):
    async def run():
        async with On(steps) as gateway:
            await session(gateway, **options)
            assert gateway.faults == []
            return gateway, gateway.provider.bill().picodollars

    return asyncio.run(run())


def test_a_session_with_a_pause_is_cheaper_and_the_books_say_by_how_much():
    _, straight = played()
    gateway, billed = played(policy())
    assert len(gateway.sent(CHEAP)) == 1
    before, after = gateway.sent()[:12], gateway.sent()[12:]
    assert not any(SAID in str(body) for body in before)
    assert all(SAID in str(body["messages"][1]) for body in after)
    assert len({str(body["messages"][:2]) for body in after}) == 1
    assert billed < straight
    paid = sum(row["cost_pico"] for row in gateway.rows)
    without = sum(row["without_us_pico"] for row in gateway.rows)
    assert paid == billed
    assert without - paid == pytest.approx(straight - billed, rel=0.05)
    assert sum(row["saved_pico"] for row in gateway.effects) == without - paid


def test_the_summary_is_a_row_of_its_own_charged_to_the_strategy():
    gateway, _ = played(policy())
    (row,) = [row for row in gateway.rows if row["role"] == "summary"]
    assert row["session"] == "s1"
    assert row["model_sent"] == CHEAP
    assert row["cost_pico"] > 0
    assert row["without_us_pico"] == 0
    (effect,) = [each for each in gateway.effects if each["call_id"] == row["id"]]
    assert effect == {"call_id": row["id"], "strategy": "summarise_history", "saved_pico": -row["cost_pico"]}


def test_later_calls_read_the_summary_from_the_cache():
    gateway, _ = played(policy())
    usages = [each.usage for each in gateway.provider.requests if each.model != CHEAP][13:]
    assert all(usage["cache_read_input_tokens"] > 5_000 for usage in usages)


@pytest.mark.parametrize("pause", [30, 200])
def test_without_a_pause_nothing_is_made(pause):
    gateway, _ = played(policy(), pause=pause)
    assert gateway.sent(CHEAP) == []


def test_short_conversations_are_left_alone():
    gateway, _ = played(policy(), turns=3, after=1)
    assert gateway.sent(CHEAP) == []


@pytest.mark.parametrize("state", ["off", "shadow"])
def test_only_where_it_is_on(state):
    gateway, _ = played(policy({"summarise_history": {**ON["summarise_history"], "state": state}}))
    assert gateway.sent(CHEAP) == []
    assert gateway.made.summaries is None


def stands(body):
    """Whether a summary stands in a body."""
    return SAID in json.dumps(body["messages"][1:2])


async def turns(gateway, chat, count, session="s1"):
    for _ in range(count):
        for body in chat.turn():
            await gateway.send(body, session)
            gateway.clock.advance(5)


def test_a_fork_finds_it_too():
    async def run():
        async with On(policy()) as gateway:
            chat = await session(gateway)
            await turns(gateway, chat, 1, session="a fork")
            assert stands(gateway.sent()[-1])

    asyncio.run(run())


@pytest.mark.parametrize("state", ["on", "off"])
def test_after_a_restart_it_stands_there_again_where_content_is_stored(state):
    async def run():
        async with On(policy(), stores=True) as gateway:
            chat = await session(gateway)
            was = gateway.sent()[-1]["messages"][1]
            later = gateway.again(policy({NAME: {**ON[NAME], "state": state}}))
            await turns(later, chat, 1)
            assert gateway.sent()[-1]["messages"][1] == was
            assert later.faults == []

    asyncio.run(run())


def test_after_a_restart_without_it_the_whole_history_goes_out():
    async def run():
        async with On(policy()) as gateway:
            chat = await session(gateway)
            assert SAID not in json.dumps(gateway.kept)
            later = gateway.again(policy())
            await turns(later, chat, 1)
            assert not stands(gateway.sent()[-1])
            assert later.faults == []

    asyncio.run(run())


def thinking(view):
    """Thinks before each reply, as models do that bind it to its prompt."""
    if view.model == CHEAP:
        return Reply(content=SAID)
    return Reply(content=({"type": "thinking", "thinking": "hm", "signature": "RmFrZVNpZ25hdHVyZQ=="}, "Done."))


class Thinker(Chat):
    """A client that sends the model's thinking back."""

    async def goes_on(self, gateway, count):
        for _ in range(count):
            self.number += 1
            words = {"type": "text", "text": f"Part {self.number}: " + f"data {self.number} " * 1_600}
            self.messages.append({"role": "user", "content": [words]})
            told = await gateway.send(self.body())
            self.messages.append({"role": "assistant", "content": json.loads(told.body)["content"]})
            gateway.clock.advance(5)


def test_a_model_that_binds_its_thinking_takes_what_is_sent():
    async def run():
        async with On(policy(), thinking, binds=True) as gateway:
            chat = Thinker()
            await chat.goes_on(gateway, 7)
            await gateway.pause(600)
            await chat.goes_on(gateway, 3)
            assert stands(gateway.sent()[-1])
            assert gateway.faults == []
            again = gateway.again(policy())
            await chat.goes_on(again, 2)
            assert not stands(gateway.sent()[-1])
            assert again.faults == []

    asyncio.run(run())


def test_a_second_pause_sums_up_the_first_summary_and_what_came_since():
    async def run():
        async with On(policy()) as gateway:
            chat = await session(gateway, turns=6, after=6)
            await gateway.pause(900)
            await turns(gateway, chat, 1)
            _, second = gateway.sent(CHEAP)
            assert SAID in second["messages"][0]["content"]
            assert "line 1 0" not in second["messages"][0]["content"]
            assert len(gateway.sent()[-1]["messages"]) < 20
            assert gateway.faults == []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(content="half", stop_reason="max_tokens"), "did not come to its end"),
        (Reply(content=" "), "the summary is empty"),
        (Fault(status=429), "answered 429"),
    ],
)
def test_a_summary_that_fails_is_said_and_not_asked_for_again_at_once(reply, said):
    async def run():
        async with On(policy(), lambda view: reply if view.model == CHEAP else Reply(content="Going on.")) as gateway:
            chat = await session(gateway)
            await gateway.pause(600)
            await turns(gateway, chat, 1)
            (fault,) = gateway.faults
            assert (fault["component"], fault["count"]) == (NAME, 1)
            assert said in fault["message"]
            assert not stands(gateway.sent()[-1])
            assert len([row for row in gateway.rows if row["role"] == "summary"]) == 1
            await gateway.pause(1_800)
            await turns(gateway, chat, 1)
            await gateway.pause(600)
            assert len(gateway.sent(CHEAP)) == 2

    asyncio.run(run())


def test_a_budget_without_room_asks_for_none():
    async def run():
        budget = daily("0.000001", name="sums", scope=Scope.ROLE, only="summary")
        async with On(policy(), budgets=[budget]) as gateway:
            chat = await session(gateway)
            await turns(gateway, chat, 1)
            (fault,) = gateway.faults
            assert "the budget sums has no room" in fault["message"]
            assert gateway.sent(CHEAP) == []

    asyncio.run(run())


def test_in_the_background_it_is_made_without_being_asked_to():
    async def run():
        async with On(policy()) as gateway:
            gateway.made.summaries.look_seconds = 0.001
            async with gateway.made.summaries.kept():
                await turns(gateway, Chat(), 6)
                gateway.clock.advance(300)
                async with asyncio.timeout(10):
                    while not gateway.sent(CHEAP):
                        await asyncio.sleep(0.01)

    asyncio.run(run())


def test_without_a_model_nothing_happens_and_one_line_says_so():
    async def run():
        async with On(policy({NAME: {"state": "on"}})) as gateway:
            await session(gateway)
            (fault,) = gateway.faults
            assert "set the model that is to write" in fault["message"]
            assert gateway.made.summaries is None

    asyncio.run(run())


@pytest.mark.parametrize(
    "who",
    [{"billing": BillingMode.OAUTH}, {"role": Role.COMPACTION}, {"role": Role.SIDE}, {"billing": BillingMode.NONE}],
    ids=str,
)
def test_calls_of_others_are_not_summed_up(who):
    async def run():
        async with On(policy()) as gateway:
            gateway.who |= who
            await session(gateway)
            assert gateway.sent(CHEAP) == []
            assert gateway.faults == []

    asyncio.run(run())


def test_sessions_that_are_left_alone_are_not_summed_up():
    async def run():
        async with On(policy(), holdout=Holdout(1.0)) as gateway:
            await session(gateway)
            assert gateway.sent(CHEAP) == []

    asyncio.run(run())


def test_a_model_without_a_price_is_not_asked():
    async def run():
        async with On(policy({NAME: {**ON[NAME], "model": "nobody-knows-1"}})) as gateway:
            await session(gateway)
            (fault,) = gateway.faults
            assert "the price of nobody-knows-1 is not known" in fault["message"]
            assert gateway.sent("nobody-knows-1") == []

    asyncio.run(run())


def test_one_under_way_is_given_up_and_written_down_when_the_gateway_stops():
    async def run():
        async with On(policy()) as gateway:
            summaries, there = gateway.made.summaries, asyncio.Event()
            summaries.look_seconds = 0.001

            async def hangs(*_):
                there.set()
                await asyncio.sleep(60)

            async with summaries.kept():
                await turns(gateway, Chat(), 6)
                gateway.made.attempts.destinations.home.upstream.send = hangs
                gateway.clock.advance(300)
                async with asyncio.timeout(10):
                    await there.wait()
            (row,) = [row for row in gateway.rows if row["role"] == "summary"]
            assert (row["outcome"], row["state"]) == ("interrupted", "settled")

    asyncio.run(run())


CONFIG = f"""
[strategies.summarise_history]
state = "on"
model = "{CHEAP}"
least_tokens = 10000
most_tokens = 500
"""


class Moved:
    """The provider and, before it, the real gateway in a process of its own; both clocks are moved together."""

    def __init__(self, home, fake, clock):
        self.file, self.clock, self.moved = home / "moved", clock, 0
        home.mkdir()
        self.move(0)
        (home / "config.toml").write_text(CONFIG)
        program = [sys.executable, str(Path(__file__).with_name("moved.py")), str(home), fake.url, str(self.file)]
        with (home / "stderr.log").open("ab") as log:
            process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True)
        self.gateway = running.Running(process.stdout.readline().strip(), home, process)

    def move(self, seconds):
        self.moved += seconds
        self.clock.advance(seconds)
        self.file.write_text(str(self.moved))

    def ask(self, body):
        shown = {"x-api-key": "sk-ant-api03-test", "anthropic-version": "2023-06-01"}
        named = {"x-claude-code-session-id": "6f1b1c9e-8f0e-4f43-9a55-0d2f4a1c7be2", "user-agent": "claude-cli/2.1.328"}
        status, _, said = self.gateway.post("/v1/messages", body, {**shown, **named})
        assert status == 200, said
        self.move(5)


def said_by(home, *words):
    command = [sys.executable, "-m", "underspend", *words, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_real_gateway_does_it_by_itself_and_its_commands_show_it(tmp_path):
    clock, home = FakeClock(), tmp_path / "home"

    def script(view):
        return Reply(content=SAID if view.model == CHEAP else "Going on.")

    with run_in_thread(script, clock=clock, keep_bodies=True) as fake:
        made, chat = Moved(home, fake, clock), Chat()
        try:
            for number in range(9):
                if number == 6:
                    made.gateway.rows(wait_for=12)
                    made.move(600)
                    made.gateway.rows("role = 'summary'", wait_for=1)
                for body in chat.turn():
                    made.ask(body)
            assert made.gateway.status()["faults"] == []
        finally:
            made.gateway.stop()
            made.gateway.process.stdout.close()
        bodies = [json.loads(each.body) for each in fake.requests]
        assert [stands(body) for body in bodies if body["model"] != CHEAP] == [False] * 12 + [True] * 6
        rows = running.ledger_rows(home)
        assert sum(row["cost_pico"] for row in rows) == fake.bill().picodollars
    (row,) = [row for row in rows if row["role"] == "summary"]
    assert row["session"] == rows[0]["session"]
    saved = json.loads(said_by(home, "savings", "--since", "week", "--json"))
    assert NAME in json.dumps(saved)
    assert "a summary of messages 1 to 15" in said_by(home, "explain", row["id"])
