import pytest

from advisors.histories_by_hand import MINUTE, NOV, line, reply, typed, usage
from underspend.advisors.simple_work import Work, only_looks, turns, work_of
from underspend.core.call import Role


def using(*tools, **known):
    return line(reply("m", usage(), tools=tools), **known)


@pytest.mark.parametrize(
    ("timeline", "work"),
    [
        (using(role=Role.SIDE), Work.BACKGROUND),
        (using("Read", role=Role.COMPACTION), None),
        (using("Bash", agent="a", agent_type="Explore"), Work.EXPLORING_AGENTS),
        (using("Grep", "Read", agent="a", agent_type="reviewer"), Work.EXPLORING_AGENTS),
        (using("Read", agent="a", agent_type="Plan"), None),
        (using("Read", "Edit", agent="a"), None),
        (using(agent="a"), None),
        (using("Read", "TodoWrite"), Work.READING_SESSIONS),
        (using("TodoWrite"), None),
        (using("Read", "Bash"), None),
        (using(), None),
    ],
)
def test_the_kind_of_work(timeline, work):
    assert work_of(timeline) is work


def test_turns_run_from_prompt_to_prompt():
    replies = [reply(f"m{index}", usage(), at=NOV + index * MINUTE) for index in range(3)]
    found = list(turns(line(replies[0], typed(), typed(), replies[1], replies[2], typed())))
    assert found == [[replies[0]], [replies[1], replies[2]]]
    assert list(turns(line())) == []
    assert not only_looks([])
