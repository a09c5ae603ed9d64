"""Strategies at work on real clients: nothing fails, the cache is hit as often as without us, and nobody pays more.

The bars are those of the fake provider's own cache and bill. Pauses of minutes and hours are of a clock that is moved.
"""

import shutil
import time

import anthropic
import pytest
from acting import DEFAULT, EVERYTHING, POLICIES, SET, demo, played, session_of_claude
from test_claude_code import SESSIONS, with_summary
from test_strategies import long_work

from underspend.testing.fake_upstream import Call, ToolLoop

MINUTE = 60
LENGTHS_DIFFER = 1.0005  # ids, times and tags in prompts are not of one length: less than one token in 2,000
WORST_SESSION = 1.02


def paused(client, clock):
    """A person who is away for seven minutes, for half an hour, for two hours."""
    first = client.ask("look at the file again and again")
    for minutes in (7, 30, 7, 120, 7):
        clock.advance(minutes * MINUTE)
        client.ask("and once more", "--resume", first["session_id"])


def of(talk):
    return lambda client, clock: talk(client)


def claude_sessions():
    for name, (script, talk) in SESSIONS.items():
        yield name, (script, of(talk))
    yield "pauses", (long_work, paused)


CLAUDE = dict(claude_sessions())


@pytest.fixture(scope="module", params=CLAUDE)
def claude_runs(request, claude, tmp_path_factory):
    script, talk = CLAUDE[request.param]
    folder = tmp_path_factory.mktemp("acting")
    made = {}
    for name, config in {"direct": None, **POLICIES}.items():
        work = folder / "work"
        for left in (work, folder / "home"):
            shutil.rmtree(left, ignore_errors=True)
        work.mkdir()
        play, said = session_of_claude(claude, work, talk)
        made[name] = played(folder / name, with_summary(script(work)), play, config), said[0]
    return made


@pytest.mark.parametrize("policy", POLICIES)
def test_claude_code_goes_on_as_without(claude_runs, policy):
    bills, said = claude_runs[policy]
    assert bills.faults == []
    assert bills.statuses == claude_runs["direct"][0].statuses
    assert [(each["result"], each["num_turns"], each["is_error"]) for each in said] == [
        (each["result"], each["num_turns"], each["is_error"]) for each in claude_runs["direct"][1]
    ]


@pytest.mark.parametrize("policy", POLICIES)
def test_claude_codes_cache_is_hit_as_often(claude_runs, policy):
    assert claude_runs[policy][0].hit_share * LENGTHS_DIFFER >= claude_runs["direct"][0].hit_share


def test_claude_code_never_pays_more_by_default(claude_runs):
    compare(claude_runs["direct"][0], claude_runs["default"][0])


def compare(direct, through):
    """Never more in total, and for no session more than 2 % (ids differ from run to run, so they go by their order)."""
    assert through.total <= direct.total * LENGTHS_DIFFER
    for with_us, without in zip(through.by_session.values(), direct.by_session.values(), strict=True):
        assert with_us <= without * WORST_SESSION


DEMO = {
    "as recorded": {},
    "with pauses eight times as long": {"pauses": 8.0},
    "with pauses a third as long": {"pauses": 0.3},
    "of a client that sets no breakpoint": {"bare": True},
    "of one that pauses long": {"bare": True, "pauses": 8.0},
}


@pytest.fixture(scope="module", params=DEMO)
def demo_runs(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    made = {}
    for name, config in {"direct": None, "default": DEFAULT}.items():
        cue, play = demo(**DEMO[request.param])
        made[name] = played(folder / name, cue, play, config)
    return made


def test_recorded_sessions_never_cost_more_by_default(demo_runs):
    direct, default = demo_runs["direct"], demo_runs["default"]
    assert default.faults == []
    assert default.statuses == {200}
    assert default.hit_share >= direct.hit_share
    compare(direct, default)


def sdk_loop(url, clock, *, marked):
    """A tool loop by the SDK, streamed and not, with a pause in it."""
    tool = {"name": "look", "description": "Looks at a thing. " * 200, "input_schema": {"type": "object"}}
    system = [{"type": "text", "text": "You look at things. " * 800}]
    if marked:
        system[-1]["cache_control"] = {"type": "ephemeral"}
    with anthropic.Anthropic(base_url=url, api_key="sk-ant-api03-test", max_retries=0) as client:
        for talk in range(6):
            messages = [{"role": "user", "content": f"Look at things, time {talk}."}]
            for turn in range(8):
                asked = {
                    "model": "claude-opus-5-5",
                    "max_tokens": 2_000,
                    "system": system,
                    "tools": [tool],
                    "messages": messages,
                }
                if turn % 2:
                    with client.messages.stream(**asked) as stream:
                        reply = stream.get_final_message()
                else:
                    reply = client.messages.create(**asked)
                uses = [block for block in reply.content if block.type == "tool_use"]
                messages.append({"role": "assistant", "content": [block.model_dump() for block in reply.content]})
                if not uses:
                    break
                results = [
                    {"type": "tool_result", "tool_use_id": use.id, "content": f"seen {turn}\n" * 400} for use in uses
                ]
                messages.append({"role": "user", "content": results})
                clock.advance(20 if turn != 4 else 7 * MINUTE)
            assert reply.stop_reason == "end_turn"


@pytest.fixture(scope="module", params=[True, False], ids=["marked", "bare"])
def sdk_runs(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdk")

    def script():
        return ToolLoop(*(Call("look", {"at": str(n)}) for n in range(5)), final="All seen.")

    def play(url, clock):
        sdk_loop(url, clock, marked=request.param)

    return {
        name: played(folder / name, script(), play, config)
        for name, config in {"direct": None, "default": DEFAULT, "everything": EVERYTHING}.items()
    }


@pytest.mark.parametrize("policy", POLICIES)
def test_the_sdk_goes_on_and_its_cache_is_hit_as_often(sdk_runs, policy):
    assert sdk_runs[policy].faults == []
    assert sdk_runs[policy].statuses == {200}
    assert sdk_runs[policy].hit_share >= sdk_runs["direct"].hit_share


def test_the_sdk_never_pays_more_by_default(sdk_runs):
    compare(sdk_runs["direct"], sdk_runs["default"])


SUMMED_UP = "\n".join(
    [
        "[strategies.summarise_history]",
        'state = "on"',
        SET["summarise_history"],
        "[strategies.cache_ttl]",
        'state = "off"',
    ]
)


def away(client, clock):
    """A person who is away for 40 minutes between prompts, while the gateway has the session summed up."""
    first = client.ask("look at the file again and again")
    for _ in range(4):
        clock.advance(40 * MINUTE)
        time.sleep(3)
        client.ask("and once more", "--resume", first["session_id"])


def test_claude_code_goes_on_behind_a_summary_and_pays_less(claude, tmp_path):
    made = {}
    for name, config in {"direct": None, "summed up": SUMMED_UP}.items():
        work = tmp_path / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        play, said = session_of_claude(claude, work, away)
        made[name] = played(tmp_path / name, with_summary(long_work(work)), play, config), said[0]
    (direct, heard), (summed_up, heard_now) = made["direct"], made["summed up"]
    assert summed_up.faults == []
    assert summed_up.statuses == {200}
    assert [each["result"] for each in heard_now] == [each["result"] for each in heard]
    assert [row["role"] for row in summed_up.rows].count("summary") >= 1
    assert summed_up.total < direct.total
