"""Small histories made by hand, for tests of the audit and of what shows it."""

from datetime import datetime

from underspend.core.history import Answered, History, Place, Result, Timeline, ToolUse, Typed
from underspend.core.usage import Metered, Unit, Usage

DOLLAR = 10**12
OPUS, HAIKU = "claude-opus-5-5", "claude-haiku-5-5"
START = 1_795_132_800_000_000  # 2026-11-20T00:00:00Z
MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000


def us(text):
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def reply(name, at=START, usage=(0, 0, 0, 0, 0), *, model=OPUS, file="/t/s.jsonl", **more):
    """A reply with (input, write 5m, write 1h, read, output) tokens; what `Metered` takes goes there."""
    tokens = Usage(*usage)
    metered = {
        "provider": "anthropic",
        "model": model,
        "units": (Unit("message", tokens),),
        "reported": tokens,
        "message_id": name,
    }
    for key in ("web_searches", "speed", "inference_geo", "thinking_tokens", "units", "service_tier"):
        if key in more:
            metered[key] = more.pop(key)
    return Answered(message_id=name, at=at, place=Place(file=file, line=1), metered=Metered(**metered), **more)


def tool(name, target="", size=0, use="t"):
    return ToolUse(id=use, name=name, target=target, size=size)


def line(*events, session="s-one", project="shop", **more):
    return Timeline(session=session, project=project, events=list(events), **more)


def typed(at=START, *, by_person=True, turn="p1"):
    return Typed(at=at, place=Place(file="/t/s.jsonl", line=1), turn=turn, size=10, by_person=by_person)


def result(at=START, use="t", size=100):
    return Result(at=at, place=Place(file="/t/s.jsonl", line=1), use_id=use, size=size)


def history(*lines, **more):
    return History(timelines=list(lines), **more)


def sample():
    """Two sessions over two days: a main loop with tools, a sub-agent, a Haiku session, an unfinished reply."""
    main = line(
        typed(),
        reply("m1", START, (100, 10_000, 0, 0, 50), tools=(tool("Read", "a.py"),), turn="p1"),
        reply("m2", START + MINUTE, (0, 500, 0, 10_100, 900), tools=(tool("Edit", "a.py", 900),), turn="p1"),
        reply("m3", START + 2 * MINUTE, (0, 900, 0, 10_600, 200), turn="p1", unseen_output=300, finalised=False),
        directory="/home/dev/shop",
    )
    agent = line(
        reply("a1", START + MINUTE, (0, 4000, 0, 0, 80), tools=(tool("Grep", "x"),), nested=True),
        agent="ag1",
        agent_type="Explore",
    )
    other = line(
        typed(START + DAY),
        reply("h1", START + DAY, (10, 0, 2000, 0, 40), model=HAIKU, tools=(tool("mcp__jira__get", "x"),)),
        reply("h2", START + DAY + HOUR, (0, 0, 0, 2000, 10), model="claude-unheard-of", web_searches=2),
        session="s-two",
        project="blog",
    )
    return history(main, agent, other)
