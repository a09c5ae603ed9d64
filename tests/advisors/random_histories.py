"""Histories of any shape, for what must hold for all of them."""

from hypothesis import strategies as st

from advisors.histories_by_hand import DAY, HAIKU, MINUTE, NOV, OPUS, SONNET, line, reply, result, typed
from underspend.core.call import Role
from underspend.core.history import AlwaysLoaded, History, Transcript
from underspend.core.usage import Usage

tokens = st.sampled_from((0, 0, 1, 700, 40_000, 160_000))
usages = st.builds(Usage, tokens, tokens, tokens, tokens, tokens)
tools = st.lists(st.sampled_from(("Read", "Grep", "Bash", "Edit", "mcp__db__query", "Agent")), max_size=3)
models = st.sampled_from((OPUS, OPUS, SONNET, HAIKU, "claude-nobody", None))
folders = st.sampled_from(("", "/home/u/p", "/home/u/p/sub", "C:\\w\\p", "/other"))


@st.composite
def timelines(draw, number):
    at, events = NOV - draw(st.integers(0, 40)) * DAY, []
    for index in range(draw(st.integers(0, 5))):
        at += draw(st.sampled_from((0, 1, 2 * MINUTE, 20 * MINUTE, 90 * MINUTE)))
        if draw(st.booleans()):
            events.append(typed(at))
        name = f"m{number}-{index}"
        events.append(
            reply(name, draw(usages), model=draw(models), at=at, tools=draw(tools), text=draw(st.integers(0, 9000)))
        )
        events.append(result(f"{name}-0", draw(st.integers(0, 5000)), at))
    agent = draw(st.sampled_from((None, None, f"a{number}")))
    return line(
        *events,
        session=draw(st.sampled_from(("s", "t"))),
        agent=agent,
        agent_type=draw(st.sampled_from((None, "Explore", "Plan", "general-purpose"))) if agent else None,
        role=draw(st.sampled_from((None, None, *Role))),
        directory=draw(folders),
        parent_use=draw(st.sampled_from((None, "m0-0-0"))),
    )


@st.composite
def histories(draw):
    lines = [draw(timelines(number)) for number in range(draw(st.integers(0, 7)))]
    loaded = [
        AlwaysLoaded(session=session, kind=kind, name=name, size=draw(st.integers(0, 90_000)))
        for session in ("s", "t")
        for kind, name in (("tool", "Rare"), ("mcp_tool", "mcp__db__query"), ("mcp_tool", "mcp__x__y"), ("system", "1"))
        if draw(st.booleans())
    ]
    files = [Transcript(file="a.jsonl", size=9, modified=NOV - draw(st.integers(0, 50)) * DAY) for _ in range(2)]
    return History(timelines=lines, always_loaded=loaded, files=files)
