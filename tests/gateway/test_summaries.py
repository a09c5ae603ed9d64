"""Summaries on the wire: made in a pause, sent with the next call, repeated, billed, and said in the books."""

import asyncio

import pytest
from summed_up import CHEAP, ON, SAID, Chat, On, policy


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
