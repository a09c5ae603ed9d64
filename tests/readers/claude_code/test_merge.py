from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from readers.transcripts import (
    OTHER,
    SESSION,
    assistant,
    entry,
    lanes,
    nested,
    result,
    taken,
    timeline,
    tool,
    usage,
    user,
)
from underspend.core.call import Role
from underspend.core.history import Answered, History, Mark, MarkKind, Result, Typed
from underspend.readers.claude_code.merge import merged
from underspend.readers.claude_code.records import Extract, Source

Files = dict[str, list[dict[str, Any]]]


def history(files: Files) -> History:
    read: list[tuple[Source, Extract]] = []
    for name, entries in files.items():
        path = f"/projects/work/{name}.jsonl"
        is_agent = Path(name).name.startswith("agent-")
        read.append((Source(path.encode(), "work", 0, 0, 0, is_agent), taken(*entries, path=path, is_agent=is_agent)))
    return merged(read)


def copies(entries: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    """The same entries as a fork copies them into its own file."""
    return [{**item, "sessionId": OTHER, **(more if item["type"] == "assistant" else {})} for item in entries]


def parent() -> list[dict[str, Any]]:
    return [
        user("One"),
        assistant("msg_1", tool("t1")),
        user([result("t1")]),
        assistant("msg_2"),
        entry("system", subtype="compact_boundary"),
    ]


def of(found: History, session: str, kind: type) -> list[Any]:
    return [
        event for line in found.timelines if line.session == session for event in line.events if isinstance(event, kind)
    ]


def test_a_fork_counts_what_is_its_own() -> None:
    old = parent()
    found = history(
        {OTHER: [*copies(old), user("Two", sessionId=OTHER), assistant("msg_3", sessionId=OTHER)], SESSION: old}
    )
    assert [reply.message_id for reply in of(found, SESSION, Answered)] == ["msg_1", "msg_2"]
    assert [reply.message_id for reply in of(found, OTHER, Answered)] == ["msg_3"]
    assert [len(of(found, session, Typed)) for session in (SESSION, OTHER)] == [1, 1]
    assert [len(of(found, session, Result)) for session in (SESSION, OTHER)] == [1, 0]
    assert [reply.copies for reply in of(found, SESSION, Answered)] == [1, 1]


def test_a_fork_is_marked_where_it_goes_on() -> None:
    old = parent()
    found = history({OTHER: [*copies(old), assistant("msg_3", sessionId=OTHER)], SESSION: old})
    (mark,) = of(found, OTHER, Mark)
    assert (mark.kind, mark.detail) == (MarkKind.RESUME, f"copy of {SESSION}")
    assert timeline(found, OTHER).events[0] is mark
    assert [mark.kind for mark in of(found, SESSION, Mark)] == [MarkKind.COMPACTION]


def test_a_fork_of_a_fork_counts_what_is_its_own() -> None:
    third = "0a1b2c3d-0000-4000-8000-000000000003"
    first = parent()
    own = [assistant("msg_3", tool("t3"), sessionId=OTHER), user([result("t3")], sessionId=OTHER)]
    second = [*copies(first), *own]
    last = [{**item, "sessionId": third} for item in second]
    found = history({SESSION: first, OTHER: second, third: [*last, assistant("msg_4", sessionId=third)]})
    assert [len(of(found, session, Result)) for session in (SESSION, OTHER, third)] == [1, 1, 0]
    assert [reply.message_id for reply in of(found, third, Answered)] == ["msg_4"]


def test_the_entries_themselves_say_who_made_them() -> None:
    old = parent()
    # By time alone the fork would come first: it was cut short, and ends before the session that it copies.
    fork = copies(old[:2], requestSessionId=SESSION)
    found = history({OTHER: fork, SESSION: old})
    assert of(found, OTHER, Answered) == []
    assert [reply.message_id for reply in of(found, SESSION, Answered)] == ["msg_1", "msg_2"]


def test_a_copy_that_knows_more_adds_to_its_owner() -> None:
    line = assistant("msg_1", message={"usage": usage(output_tokens=1), "stop_reason": None})
    whole = {**line, "message": {**line["message"], "usage": usage(output_tokens=90), "stop_reason": "end_turn"}}
    found = history({SESSION: [line], OTHER: copies([whole])})
    (reply,) = of(found, SESSION, Answered)
    assert (reply.metered.usage.output, reply.finalised, reply.unseen_output) == (90, True, 0)


def test_an_estimate_goes_with_the_longer_copy() -> None:
    short = assistant(
        "msg_1", {"type": "text", "text": "x" * 36}, message={"stop_reason": None, "usage": usage(output_tokens=1)}
    )
    more = assistant(
        "msg_1", {"type": "text", "text": "x" * 360}, tool("t1"), message=short["message"] | {"content": []}
    )
    more["message"]["content"] = [{"type": "text", "text": "x" * 360}, tool("t1")]
    found = history({SESSION: [short], OTHER: copies([more])})
    (reply,) = of(found, SESSION, Answered)
    assert (reply.text_chars, len(reply.tools), reply.unseen_output) == (360, 1, 100)


def test_a_nested_reply_is_the_agents_own_where_that_has_a_file() -> None:
    inner = assistant("msg_2", isSidechain=True, agentId="a1")
    found = history({SESSION: [user("Go"), nested("a1", inner)], f"{SESSION}/subagents/agent-a1": [inner]})
    (reply,) = of(found, SESSION, Answered)
    assert (reply.message_id, reply.nested, reply.copies) == ("msg_2", False, 1)
    assert timeline(found, SESSION, "a1").role is Role.SUBAGENT


def test_a_nested_reply_counts_where_it_is_the_only_one() -> None:
    found = history({SESSION: [nested("a1", assistant("msg_2"))]})
    assert [reply.nested for reply in of(found, SESSION, Answered)] == [True]


def test_an_agent_is_known_by_the_use_that_started_it() -> None:
    task = assistant("msg_1", tool("toolu_task", "Agent", subagent_type="Plan", prompt="other words"))
    found = history({SESSION: [nested("a1", assistant("msg_2")), task]})
    assert timeline(found, SESSION, "a1").agent_type == "Plan"


def test_events_are_in_order() -> None:
    entries = parent()
    found = history({SESSION: entries[::-1]})
    times = [event.at for event in timeline(found).events]
    assert times == sorted(times)


def test_projects_and_directories() -> None:
    tree = history({SESSION: [assistant(cwd="/home/someone/work/.claude/worktrees/fix")]})
    none = history({SESSION: [assistant(cwd=None)]})
    assert (timeline(tree).project, timeline(tree).directory) == ("work", "/home/someone/work/.claude/worktrees/fix")
    assert (timeline(none).project, timeline(none).directory) == ("work", "")


def test_what_is_skipped_and_unknown_is_summed() -> None:
    found = history({SESSION: [entry("hologram")], OTHER: [entry("hologram"), {"type": None}]})
    assert found.unknown == {"hologram": 2, "(none)": 1}
    assert [file.lines for file in found.files] == [1, 2]


@given(st.randoms(use_true_random=False), st.lists(st.sampled_from(["a", "b", "c"]), min_size=4, max_size=12))
def test_the_order_of_files_changes_nothing(random: Any, where: list[str]) -> None:
    lines = [assistant(f"msg_{number // 2}") for number in range(len(where))]
    files = {name: [line for line, place in zip(lines, where, strict=True) if place == name] for name in "abc"}
    shuffled = list(files.items())
    random.shuffle(shuffled)
    one, other = history(files), history(dict(shuffled))
    assert lanes(reply for _, reply in one.replies()) == lanes(reply for _, reply in other.replies())
    assert {(line.session, reply.message_id) for line, reply in one.replies()} == {
        (line.session, reply.message_id) for line, reply in other.replies()
    }
