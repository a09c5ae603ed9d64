import pytest

from readers.transcripts import OTHER, SESSION, assistant, write
from underspend.audit import hands as module
from underspend.audit.hands import Hands
from underspend.audit.second import Second
from underspend.audit.surroundings import gather
from underspend.audit.whole import Context, looking_of
from underspend.readers.claude_code.roots import sources

CONTEXT = Context(now=1)
LOOKING = looking_of(CONTEXT, gather([], now=1))


@pytest.fixture
def files(tmp_path):
    for number in range(6):
        write(tmp_path, f"{number}.jsonl", assistant(f"msg_{number}") | {"sessionId": f"s{number}"})
    return sources([tmp_path])[0]


def found(files, groups=None):
    told = []
    with Hands(files, lambda *at: told.append(at)) as hands:
        hands.read(range(len(files)))
        assert sorted(hands.members) == list(range(len(files)))
        parts = hands.look(groups or [[index] for index in range(len(files))], LOOKING)
    total = sum(source.size for source in files)
    assert all(0 < done <= whole == total for done, whole in told)
    return [part.replies for part in parts]


@pytest.mark.parametrize("worth", [0, 10**12])
def test_each_group_is_a_part(files, worth, monkeypatch):
    monkeypatch.setattr(module, "WORTH_A_PROCESS", worth)
    assert found(files) == [1] * 6
    assert found(files, [[0, 1], [2, 3], [4, 5]]) == [2, 2, 2]


def test_groups_that_both_processes_read_a_part_of(files, monkeypatch):
    monkeypatch.setattr(module, "WORTH_A_PROCESS", 0)
    monkeypatch.setattr("underspend.readers.claude_code.sharing._SMALL", 1)
    assert found(files, [list(range(6))]) == [6]


@pytest.mark.parametrize("method", ["parts", "shares"])
def test_what_the_second_process_leaves_undone_the_first_does(files, method, monkeypatch):
    monkeypatch.setattr(module, "WORTH_A_PROCESS", 0)
    monkeypatch.setattr("underspend.readers.claude_code.sharing._SMALL", 1)
    monkeypatch.setattr(Second, method, lambda *_: iter(()))
    assert found(files) == [1] * 6


def test_without_a_second_process_the_first_does_everything(files, monkeypatch):
    monkeypatch.setattr(module, "WORTH_A_PROCESS", 0)
    monkeypatch.setattr(Second, "start", lambda *_: None)
    assert found(files) == [1] * 6


def test_a_file_that_went_meanwhile_is_named(tmp_path):
    write(tmp_path, f"{SESSION}.jsonl", assistant("msg_1"))
    gone = write(tmp_path, f"{OTHER}.jsonl", assistant("msg_2"))
    files = sources([tmp_path])[0]
    gone.unlink()
    with Hands(files) as hands:
        hands.read([0, 1])
        assert len(hands.unreadable) == 1
        parts = hands.look([[0], [1]], LOOKING)
    assert [each.why for part in parts for each in part.skipped] == ["cannot be read: no such file or directory"]
