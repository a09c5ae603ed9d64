import io
import os
import sys

import pytest

from readers.transcripts import assistant, write
from underspend.audit import second as module
from underspend.audit.part import unpack
from underspend.audit.second import Second, work
from underspend.audit.surroundings import gather
from underspend.audit.whole import Context, looking_of
from underspend.readers.claude_code.roots import sources
from underspend.readers.claude_code.sharing import NUMBER

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no second process")
LOOKING = looking_of(Context(now=1), gather([], now=1))


@pytest.fixture
def files(tmp_path):
    for number in range(3):
        write(tmp_path, f"{number}.jsonl", assistant(f"msg_{number}") | {"sessionId": f"s{number}"})
    return sources([tmp_path])[0]


def test_it_reads_what_the_first_leaves_and_looks_at_it(files):
    second = Second.start(files, [[0], [1], [2]])
    mine = list(second.shares())
    read = second.read()
    assert sorted([*mine, *read]) == [0, 1, 2]
    wanted = sorted(read)[:1]
    handed = second.ask(wanted, [[index] for index in sorted(read)[1:]], LOOKING)
    assert sorted(handed) == wanted
    assert [unpack(packed).replies for packed in second.parts()] == [1] * (len(read) - len(wanted))
    second.end()


def test_a_copy_does_the_same_and_ends(files, monkeypatch):
    monkeypatch.setattr(module, "can_be_copied", lambda: True)
    second = Second.start(files, [[0], [1], [2]])
    mine = list(second.shares())
    read = second.read()
    assert sorted([*mine, *read]) == [0, 1, 2]
    assert second.ask([], [[index] for index in sorted(read)], LOOKING) == {}
    assert [unpack(packed).replies for packed in second.parts()] == [1] * len(read)
    second.end()
    with pytest.raises(ChildProcessError):
        os.waitpid(second._process._pid, 0)


def test_a_copy_that_comes_to_harm_leaves_everything_undone(files, monkeypatch):
    monkeypatch.setattr(module, "can_be_copied", lambda: True)
    monkeypatch.setattr(module, "work", None)
    second = Second.start(files, [[0]])
    assert second.read() == {}
    second.end()


def test_a_process_whose_output_is_someone_elses_is_not_copied(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert not module.can_be_copied()


def test_its_work(files):
    queue, feed = os.pipe()
    os.write(feed, NUMBER.pack(0))
    os.close(feed)
    told, answers = io.BytesIO(), io.BytesIO()
    module._write(told, (queue, files, [[0, 1]]))
    module._write(told, ([0], [[1]], LOOKING))
    told.seek(0)
    work(told, answers)
    os.close(queue)
    answers.seek(0)
    members, handed, parts = (module._read(answers) for _ in range(3))
    assert [readable for _, readable in members.values()] == [True, True]
    assert (list(handed), unpack(parts[0]).replies) == ([0], 1)


def test_a_process_that_comes_to_harm_leaves_everything_undone(files, monkeypatch):
    monkeypatch.setattr(module, "_START", "raise SystemExit(3)")
    second = Second.start(files, [[0]])
    second._process.wait()
    assert second.read() == {}
    assert second.ask([], [], LOOKING) == {}
    assert second.parts() == ()
    second.end()


def test_where_no_process_can_be_made(files, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    assert Second.start(files, [[0]]) is None
    monkeypatch.setattr(module.os, "name", "nt")
    assert Second.start(files, [[0]]) is None
