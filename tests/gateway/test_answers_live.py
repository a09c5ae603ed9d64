"""The response cache over the wire: the real gateway, the SDKs, other processes, and what is left on the disk."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import anthropic
import httpx2 as httpx
import openai
import pytest
import running

from stores.replies.conformance import redis_server
from underspend.testing.fake_upstream import Queue, Reply, run_in_thread, tool_use

SECRET = "the walrus speaks of cabbages"
ASKED = "what did the carpenter say"
CONFIG = '[cache]\nenabled = true\n\n[[cache.routes]]\nproject = "docs-*"\nttl = 600\ntags = ["docs"]\n'
MODEL = "claude-haiku-5-5"
CACHED = {"x-underspend-cache": "ttl=600; tag=one"}
TALK = [{"role": "user", "content": ASKED}]


@pytest.fixture(scope="module")
def fake():
    with run_in_thread(keep_bodies=True) as made:
        yield made


@pytest.fixture(scope="module")
def through(fake, tmp_path_factory):
    made = running.start(tmp_path_factory.mktemp("cached"), fake.url, config=CONFIG)
    yield made
    made.stop()
    made.process.stdout.close()


@pytest.fixture
def client(through, fake):
    fake.script = None
    with anthropic.Anthropic(base_url=through.url, api_key="sk-ant-api03-one", max_retries=0) as made:
        yield made


@pytest.fixture
def other(through):
    with openai.OpenAI(base_url=f"{through.url}/v1", api_key="sk-ant-api03-one", max_retries=0) as made:
        yield made


def asked_of(fake):
    return len(fake.requests)


def cli(home, *arguments):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSPEND_")}
    command = [sys.executable, "-m", "underspend", *arguments, "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_anthropic_sdk_reads_a_hit_as_it_read_the_reply(client, fake, through):
    ask = {"model": MODEL, "max_tokens": 50, "messages": TALK, "extra_headers": CACHED}
    before = asked_of(fake)
    first = client.messages.with_raw_response.create(**ask)
    second = client.messages.with_raw_response.create(**ask)
    assert asked_of(fake) == before + 1
    assert second.read() == first.read()
    assert second.parse() == first.parse()
    assert second.headers["x-underspend-cache"].startswith("hit; id=")
    assert second.headers["request-id"] == first.headers["request-id"]
    assert int(second.headers["age"]) >= 0
    streams = []
    for _ in range(2):
        with client.messages.stream(**ask) as stream:
            streams.append(([event.type for event in stream], stream.get_final_message()))
    assert streams[0] == streams[1]
    assert asked_of(fake) == before + 2
    row = through.rows("outcome = 'answered'", wait_for=2)[0]
    assert (row["cost_pico"], row["message_id"], row["evidence"]) == (0, None, "estimated")
    assert row["without_us_pico"] > 0


def test_the_openai_sdk_reads_a_hit_as_it_read_the_reply_in_both_dialects(other, fake):
    chat = {"model": MODEL, "max_tokens": 50, "messages": TALK, "extra_headers": CACHED}
    before = asked_of(fake)
    first, second = (other.chat.completions.with_raw_response.create(**chat) for _ in range(2))
    assert second.content == first.content
    assert second.parse() == first.parse()
    assert second.headers["x-underspend-cache"].startswith("hit")
    assert second.headers["x-request-id"]
    told = [list(other.chat.completions.create(stream=True, **chat)) for _ in range(2)]
    assert told[0] == told[1] != []
    assert asked_of(fake) == before + 2
    response = {"model": MODEL, "max_output_tokens": 50, "input": ASKED, "extra_headers": CACHED}
    first, second = (other.responses.create(**response) for _ in range(2))
    assert first == second
    told = [list(other.responses.create(stream=True, **response)) for _ in range(2)]
    assert told[0] == told[1]
    assert told[0][-1].type == "response.completed"
    assert asked_of(fake) == before + 4


def test_a_reply_that_uses_tools_is_asked_for_each_time(client, fake):
    fake.script = Queue([Reply(content=("Looking.", tool_use("look", {"at": "it"})))] * 2)
    tools = [{"name": "look", "description": "look", "input_schema": {"type": "object"}}]
    before = asked_of(fake)
    for _ in range(2):
        client.messages.create(model=MODEL, max_tokens=90, tools=tools, messages=TALK, extra_headers=CACHED)
    assert asked_of(fake) == before + 2


def test_a_compressed_reply_is_kept_plain(through, fake):
    from underspend.testing.fake_upstream import Delivery

    fake.script = Queue([Reply(content="hello " * 50, delivery=Delivery(gzip=True, chunk_bytes=7))])
    body = json.dumps({"model": MODEL, "max_tokens": 500, "messages": [{"role": "user", "content": "squeeze"}]})
    head = {"x-api-key": "k", "content-type": "application/json", **CACHED}
    with httpx.Client() as plain:
        first = plain.post(f"{through.url}/v1/messages", content=body, headers={**head, "accept-encoding": "gzip"})
        second = plain.post(f"{through.url}/v1/messages", content=body, headers={**head, "accept-encoding": "identity"})
    assert first.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in second.headers
    assert second.headers["x-underspend-cache"].startswith("hit")
    assert second.content == first.content


def test_nothing_is_answered_any_more_once_another_process_has_cleared_its_tag(through, fake):
    def ask(path="/v1/messages", tag="one", text="clear me"):
        fake.script = None
        body = {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": text}]}
        said = {"x-api-key": "k"} | ({"x-underspend-cache": f"ttl=600; tag={tag}"} if tag else {})
        return through.post(path, body, said)[1]["x-underspend-cache"].partition(";")[0]

    assert [ask(), ask(), ask(tag="two", text="another"), ask(tag="two", text="another")] == ["miss", "hit"] * 2
    assert [ask("/p/docs-a/v1/messages", None, "routed") for _ in range(2)] == ["miss", "hit"]
    assert "forgotten" in cli(through.home, "cache", "clear", "--tag", "one")
    assert [ask(), ask(tag="two", text="another")] == ["miss", "hit"]
    assert ask("/p/docs-a/v1/messages", None, "routed") == "hit"
    cli(through.home, "cache", "clear", "--tag", "docs")
    assert ask("/p/docs-a/v1/messages", None, "routed") == "miss"
    cli(through.home, "cache", "clear", "--all")
    assert ask(tag="two", text="another") == "miss"


def test_what_is_on_the_disk_holds_no_word_of_it(fake, tmp_path):
    config = '[cache]\nenabled = true\n[faq]\nmode = "shadow"\n'
    made = running.start(tmp_path / "home", fake.url, config=config)
    try:
        fake.script = Queue([Reply(content=SECRET)])
        ask = {"model": MODEL, "max_tokens": 50, "messages": TALK}
        told = [made.post("/v1/messages", ask, {"x-api-key": "k", **CACHED}) for _ in range(2)]
        assert SECRET.encode() in told[1][2]
        assert told[1][1]["x-underspend-cache"].startswith("hit")
        files = [path for path in made.home.rglob("*") if path.is_file()]
        names = {path.name for path in files}
        assert {"replies.sqlite3", "faq.sqlite3", "replies.key"} <= names
        for path in files:
            data = path.read_bytes()
            assert SECRET.encode() not in data, path
            assert ASKED.encode() not in data, path
            if path.name.startswith(("replies", "faq")):
                assert path.stat().st_mode & 0o077 == 0, path
    finally:
        made.stop()
        made.process.stdout.close()


def test_what_was_kept_is_found_again_after_a_restart(fake, tmp_path):
    fake.script = None
    ask = {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": "again"}]}
    told = []
    for _ in range(2):
        made = running.start(tmp_path / "home", fake.url, config="[cache]\nenabled = true\n")
        told.append(made.post("/v1/messages", ask, {"x-api-key": "k", **CACHED}))
        made.stop()
        made.process.stdout.close()
    assert [head["x-underspend-cache"].partition(";")[0] for _, head, _ in told] == ["miss", "hit"]
    assert told[0][2] == told[1][2]


def test_replicas_share_what_is_kept_through_redis(fake, tmp_path):
    fake.script = None
    ask = {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": "shared"}]}
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as url:
        config = f'[cache]\nenabled = true\nurl = "{url}"\n'
        one = running.start(tmp_path / "one", fake.url, config=config)
        (tmp_path / "two").mkdir()
        for name in ("replies.key", "secret"):
            found = next((tmp_path / "one").glob(f"{name}*"))
            target = tmp_path / "two" / found.name
            target.write_bytes(found.read_bytes())
            target.chmod(0o600)
        two = running.start(tmp_path / "two", fake.url, config=config)
        try:
            head = {"x-api-key": "k", **CACHED}
            told = [one.post("/v1/messages", ask, head)]
            while "kept" not in one.status()["answers"]:
                time.sleep(0.01)
            told.append(two.post("/v1/messages", ask, head))
            assert [got[1]["x-underspend-cache"].partition(";")[0] for got in told] == ["miss", "hit"]
            assert told[0][2] == told[1][2]
            cli(two.home, "cache", "clear", "--tag", "one")
            assert one.post("/v1/messages", ask, head)[1]["x-underspend-cache"].startswith("miss")
        finally:
            for each in (one, two):
                each.stop()
                each.process.stdout.close()


def test_a_cache_that_breaks_costs_no_call(fake, tmp_path):
    fake.script = None
    made = running.start(tmp_path / "home", fake.url, config="[cache]\nenabled = true\n")
    try:
        with closing(sqlite3.connect(made.home / "replies.sqlite3")) as found:
            found.execute("DROP TABLE sums")
        ask = {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": "broken"}]}
        for _ in range(3):
            status, head, _ = made.post("/v1/messages", ask, {"x-api-key": "k", **CACHED})
            assert status == 200
            assert not head["x-underspend-cache"].startswith("hit")
        assert any(fault["component"] == "cache" for fault in made.status()["faults"])
    finally:
        made.stop()
        made.process.stdout.close()


def test_the_command_line_says_in_words_that_a_call_was_answered(client, fake, through):
    ask = {
        "model": MODEL,
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "words"}],
        "extra_headers": CACHED,
    }
    for _ in range(2):
        client.messages.create(**ask)
    row = through.rows("outcome = 'answered'", wait_for=1)[-1]
    explained = " ".join(cli(through.home, "explain", row["id"]).split())
    assert "Answered here, with a reply that was kept: nothing was sent, and nothing billed." in explained
    assert "response_cache did: reply" in explained
    assert "an equal call had been answered with it" in explained
    assert "at no cost; the provider would have billed" in " ".join(cli(through.home, "spend").split())
    savings = " ".join(cli(through.home, "savings").split())
    assert "response_cache" in savings
    assert "got a kept reply" in savings
    status = cli(through.home, "status", "--port", str(through.port))
    assert "hits" in status
    page = through_page(through, f"/_/calls/{row['id']}")
    assert "from the cache" in page
    assert "Answered here" in page
    assert "got a kept reply" in through_page(through, "/_/")


def through_page(through, path):
    with httpx.Client() as plain:
        return plain.get(f"{through.url}{path}").text


def test_the_faq_goes_from_shadow_to_answering_and_back_by_the_users_word(fake, tmp_path):
    fake.script = None
    home = tmp_path / "home"
    config = '[cache]\nenabled = true\n[faq]\nmode = "on"\nwrong_percent = 5.0\n'
    made = running.start(home, fake.url, config=config)

    def ask(text):
        body = {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": text}]}
        _, head, told = made.post("/v1/messages", body, {"x-api-key": "k", **CACHED})
        return head["x-underspend-cache"].partition(";")[0], told

    try:
        answers = [ask("How do I reset my password?"), ask("how can i reset the password")]
        assert [word for word, _ in answers] == ["miss", "miss"], "nothing is calibrated yet"
        deadline = time.monotonic() + 10
        while not (hits := json.loads(cli(home, "cache", "faq", "hits", "--json"))) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (hits[0]["asked"], hits[0]["served"]) == ("how can i reset the password", False)
        assert "is right" in cli(home, "cache", "faq", "label", str(hits[0]["hit"]), "right")
        pairs = tmp_path / "pairs.jsonl"
        words = ("invoice", "parcel", "printer", "balcony", "garden", "kettle", "carpet", "window")
        lines = [
            {"a": f"How do I reset my {word} {other}?", "b": f"how can i reset the {other} {word}", "same": True}
            for word in words
            for other in (*words, *(each.upper() + "s" for each in words))
        ]
        pairs.write_text("".join(json.dumps(line) + "\n" for line in lines))
        assert "alike at most" in cli(home, "cache", "faq", "calibrate", "--pairs", str(pairs))
        word, told = ask("please, how can I reset the password")
        assert word == "faq"
        assert told in {answer for _, answer in answers}
        served = json.loads(cli(home, "cache", "faq", "hits", "--json"))[0]
        assert served["served"]
        known = [entry["entry"] for entry in json.loads(cli(home, "cache", "faq", "entries", "--json"))]
        assert served["entry"] in known
        for entry in known:
            cli(home, "cache", "faq", "revoke", entry)
        assert ask("hi, how can I reset my password")[0] == "miss"
        row = made.rows("outcome = 'answered'", wait_for=1)[0]
        assert "% alike" in " ".join(cli(home, "explain", row["id"]).split())
    finally:
        made.stop()
        made.process.stdout.close()
