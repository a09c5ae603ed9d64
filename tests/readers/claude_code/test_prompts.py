from __future__ import annotations

from typing import Any

import msgspec
import pytest

from readers.transcripts import answered, assistant, marks, nested, result, results, taken, typed, user
from underspend.core.history import MarkKind
from underspend.readers.claude_code import prompts
from underspend.readers.claude_code.shapes import Message


def test_a_typed_prompt_begins_a_turn() -> None:
    found = taken(user("Fix it", promptId="turn-1"), assistant())
    (event,) = typed(found)
    assert (event.size, event.turn, event.by_person) == (6, "turn-1", True)
    assert answered(found)[0].turn == "turn-1"


def test_without_a_prompt_id_the_entry_names_the_turn() -> None:
    entry = user("Fix it")
    assert typed(taken(entry))[0].turn == entry["uuid"]


def test_text_blocks_are_a_prompt() -> None:
    assert typed(taken(user([{"type": "text", "text": "ab"}, {"type": "text", "text": "c"}])))[0].size == 4


@pytest.mark.parametrize(
    "more",
    [
        {"promptSource": "sdk"},
        {"promptSource": "system"},
        {"origin": {"kind": "task-notification"}},
        {"isSidechain": True, "agentId": "a1"},
    ],
    ids=repr,
)
def test_programs_prompt_too(more: dict[str, Any]) -> None:
    assert [event.by_person for event in typed(taken(user("Go on", **more)))] == [False]


@pytest.mark.parametrize(
    "more",
    [{"promptSource": "typed"}, {"promptSource": "queued"}, {"origin": {"kind": "human"}}, {"origin": 3}],
    ids=repr,
)
def test_people_prompt(more: dict[str, Any]) -> None:
    assert [event.by_person for event in typed(taken(user("Go on", **more)))] == [True]


def test_a_notification_is_no_person() -> None:
    assert not typed(taken(user("<task-notification>\n<task-id>1")))[0].by_person


@pytest.mark.parametrize(
    "content",
    [
        "[Request interrupted by user for tool use]",
        "<local-command-stdout>Bye!</local-command-stdout>",
        "<command-name>/exit</command-name>\n<command-message>exit</command-message>",
        "<bash-stdout>x</bash-stdout>",
    ],
)
def test_what_the_client_says_to_itself_is_no_prompt(content: str) -> None:
    assert typed(taken(user(content))) == []


@pytest.mark.parametrize("more", [{"isMeta": True}, {"isCompactSummary": True}], ids=repr)
def test_neither_is_a_summary_or_a_note(more: dict[str, Any]) -> None:
    assert typed(taken(user("This session is being continued", **more))) == []


def test_ones_own_commands_are_prompts() -> None:
    assert (
        len(
            typed(
                taken(
                    user("<command-message>review is running</command-message>\n<command-name>/review</command-name>")
                )
            )
        )
        == 1
    )


def test_clearing_is_marked() -> None:
    assert [mark.kind for mark in marks(taken(user("<command-name>/clear</command-name>")))] == [MarkKind.CLEAR]


def test_setting_the_model_is_marked() -> None:
    out = "<local-command-stdout>Set model to \x1b[1mSonnet 4.6\x1b[22m (default)</local-command-stdout>"
    (mark,) = marks(taken(user(out)))
    assert (mark.kind, mark.detail) == (MarkKind.MODEL_SET, "Sonnet 4.6")


def test_results_have_size_and_digest() -> None:
    first, second, third = results(
        taken(
            user([result("t1", "ü\n")]),
            user([result("t2", "ü\n")]),
            user([result("t3", "other", is_error=True)]),
        )
    )
    assert (first.size, first.use_id, first.is_error) == (2, "t1", False)
    assert first.digest == second.digest != third.digest
    assert third.is_error


def test_results_in_blocks() -> None:
    blocks = [
        {"type": "text", "text": "abc"},
        {"type": "image", "source": {"data": "x" * 99}},
        {"type": "tool_reference"},
    ]
    (event,) = results(taken(user([result("t1", blocks)])))
    assert (event.size, event.images) == (3, 1)


def test_one_text_is_the_same_in_a_list() -> None:
    text = [{"type": "text", "text": "abc"}]
    one, other, more = results(
        taken(user([result("t1", "abc")]), user([result("t2", text)]), user([result("t3", text * 2)]))
    )
    assert one.digest == other.digest != more.digest


@pytest.mark.parametrize("content", [None, 7, {}, []])
def test_results_without_content(content: Any) -> None:
    (event,) = results(taken(user([result("t1", content)])))
    assert event.size == 0


def test_a_repeated_entry_counts_once() -> None:
    prompt, done = user("Hi"), user([result("t1")])
    found = taken(prompt, done, prompt, done)
    assert (len(typed(found)), len(results(found))) == (1, 1)


def test_results_of_nested_agents_are_theirs() -> None:
    found = taken(nested("a1", user([result("t1")])))
    assert [(part.agent, len(part.results)) for part in found.parts] == [("a1", 1)]


def test_prompts_and_results_do_not_mix() -> None:
    message = msgspec.json.decode(b'{"content":[{"type":"text","text":"x"},{"type":"tool_result"}]}', type=Message)
    assert prompts.prompt_text(message) is None
    assert prompts.prompt_text(Message()) is None
