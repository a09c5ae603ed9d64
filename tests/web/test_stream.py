import asyncio
import json
from dataclasses import replace

from underspend.reports.entry import entry
from underspend.web.stream import ending, event, shown, stream, who

ROW = {"id": "a1", "started_at": 1_800_000_000_000_000, "state": "settled", "outcome": "ok", "model_served": "m"}
MONEY = {"cost_pico": 10**10, "without_us_pico": 10**10, "input_tokens": 10, "cache_read_tokens": 30}


def test_an_event_has_the_call_and_its_figures_in_words(site):
    name, data, *_ = event({**ROW, **MONEY, "project": "shop"}, site).split(b"\n")
    call = json.loads(data.removeprefix(b"data: "))
    assert name == b"event: call"
    assert call["paid_usd"] == 0.01
    assert call["shown"] == {
        "time": "08:00:00",
        "model": "m",
        "who": "shop",
        "prompt": "40",
        "read": "75.0%",
        "output": "0",
        "length": "—",
        "paid": "$0.0100",
        "end": "",
    }


def test_an_open_call_shows_no_figures(site):
    found = shown(entry({**ROW, "state": "open"}), site)
    assert (found["paid"], found["prompt"], found["end"]) == ("…", "—", "open")


def test_endings_that_are_not_as_they_should_be():
    assert ending(entry({**ROW, "outcome": "error", "status": 529})) == "error 529"
    assert ending(entry({**ROW, "outcome": "aborted"})) == "aborted"
    assert ending(entry({**ROW, "evidence": "estimated"})) == "estimated"
    assert ending(entry({**ROW, "evidence": "estimated", "outcome": "answered"})) == "from the cache"


def test_who_falls_back_to_the_session():
    assert who(entry({**ROW, "session": "0123456789"})) == "01234567"
    assert who(entry({**ROW, "project": "shop", "agent_type": "Explore"})) == "shop · Explore"


def test_the_stream_ends_properly_with_its_feed(site):
    class Ending:
        async def subscribe(self):
            yield {**ROW, **MONEY}

    sent = []

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    asyncio.run(asyncio.wait_for(stream(replace(site, live=Ending()), receive, send), 5))
    assert b"event: call" in sent[-2]["body"]
    assert sent[-1] == {"type": "http.response.body", "body": b""}


def test_the_stream_tells_rows_and_ends_with_its_listener(site):
    sent = []

    async def listen():
        gone = asyncio.Event()

        async def receive():
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            tasks.create_task(stream(site, receive, send))
            while not site.live.heard:
                await asyncio.sleep(0)
            site.live.publish({**ROW, **MONEY})
            while not any(b"event: call" in message.get("body", b"") for message in sent):
                await asyncio.sleep(0)
            gone.set()
        assert not site.live.heard

    asyncio.run(listen())
    assert sent[1]["body"] == b": listening\n\n"
