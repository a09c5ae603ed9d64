from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from readers.transcripts import OTHER, assistant, taken, tool, user
from underspend.readers.claude_code.bonds import bonds_of, holders, number_of, together


def packed(*numbers: int) -> bytes:
    return array("Q", numbers).tobytes()


def test_files_are_tied_by_session_reply_prompt_and_agent() -> None:
    main = taken(user("One"), assistant("msg_1", tool("t1", "Task", subagent_type="Explore", prompt="Look")))
    fork = taken(assistant("msg_1") | {"sessionId": OTHER}, path="/projects/work/fork.jsonl")
    other = taken(assistant("msg_9") | {"sessionId": "elsewhere"}, path="/projects/work/other.jsonl")
    ties = [bonds_of(each) for each in (main, fork, other)]
    assert together(ties) == [[0, 1], [2]]
    assert number_of("reply", "msg_1") in array("Q", ties[0])
    assert number_of("use", "t1") in array("Q", ties[0])
    assert bonds_of(main) == bonds_of(main)


def test_an_agent_is_tied_to_the_use_that_started_it() -> None:
    agent = taken(assistant("m"))
    agent.parts[0].parent_use = "t1"
    assert number_of("use", "t1") in array("Q", bonds_of(agent))


@given(st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=8))
def test_groups_share_nothing_and_hold_every_file(numbers: list[list[int]]) -> None:
    groups = together([packed(*each) for each in numbers])
    assert sorted(index for group in groups for index in group) == list(range(len(numbers)))
    held = [{number for index in group for number in numbers[index]} for group in groups]
    assert all(one.isdisjoint(two) for at, one in enumerate(held) for two in held[:at])
    assert groups == sorted(groups)


def test_who_shares_something_with_new_files() -> None:
    old = [packed(1, 2), packed(3), packed()]
    assert holders(old, [packed(3, 4)]) == {1}
    assert holders(old, [packed(9)]) == set()
    assert holders([], [packed(9)]) == set()
