"""An audit of kept parts is the audit of everything, whatever happened to the files between two runs."""

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readers.transcripts import OTHER, SESSION, assistant, user, write
from underspend.advisors import BUILTIN
from underspend.audit import hands
from underspend.audit.kept import Kept
from underspend.audit.parting import parted
from underspend.audit.surroundings import gather
from underspend.audit.whole import Context, audit, looking_of, summed
from underspend.readers.claude_code import read_history
from underspend.readers.claude_code.roots import sources

CONTEXT = Context(now=1_795_000_000_000_000, advisors=BUILTIN)


def around(directories, folder=None):
    return gather(directories, now=CONTEXT.now, config_folders=[folder] if folder else [])


def parts(root, kept, folder=None):
    found = sources([root])[0]
    return parted(found, kept, lambda names: around(names, folder), lambda known: looking_of(CONTEXT, known))


def shown(found):
    """All that is found, but for what fetches the replies."""
    return {field.name: getattr(found, field.name) for field in fields(found) if field.name not in {"days", "replies"}}


def assert_as_a_whole(root, made):
    history = read_history([root])
    whole = audit(history, CONTEXT, around=made.around)
    found, wanted = shown(summed(made.parts, CONTEXT, made.around, list)), shown(whole)
    ranked, expected = found.pop("found").ranked, wanted.pop("found").ranked
    assert found == wanted
    assert [(each.finding.id, each.finding.rows, each.in_period) for each in ranked] == [
        (each.finding.id, each.finding.rows, each.in_period) for each in expected
    ]


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "logs"
    write(folder, f"{SESSION}.jsonl", user("One"), assistant("msg_1"), assistant("msg_2"))
    write(folder, f"{OTHER}.jsonl", assistant("msg_3") | {"sessionId": OTHER})
    return folder


def test_the_second_time_nothing_is_read(root, monkeypatch):
    first = parts(root, Kept("v"))
    assert (first.is_new, len(first.parts)) == (True, 2)
    monkeypatch.setattr("underspend.readers.claude_code.reading.extract", None)
    again = parts(root, first.kept)
    assert not again.is_new
    assert [part.spent for part in again.parts] == [part.spent for part in first.parts]
    assert_as_a_whole_of(again, first)


def assert_as_a_whole_of(one, other):
    made = [shown(summed(each.parts, CONTEXT, each.around, list)) for each in (one, other)]
    assert made[0]["totals"] == made[1]["totals"]
    assert made[0]["found"].in_period == made[1]["found"].in_period


def test_a_new_fork_dissolves_the_part_it_belongs_to(root):
    kept = parts(root, Kept("v")).kept
    write(root, "fork.jsonl", *(each | {"sessionId": "fork"} for each in (assistant("msg_1"), assistant("msg_9"))))
    made = parts(root, kept)
    assert len(made.parts) == 2
    assert_as_a_whole(root, made)


def test_a_file_that_goes_leaves_the_rest(root):
    kept = parts(root, Kept("v")).kept
    (root / f"{SESSION}.jsonl").unlink()
    made = parts(root, kept)
    assert (len(made.parts), made.is_new, made.kept.losses) == (1, True, 1)
    assert_as_a_whole(root, made)


def test_settings_that_govern_a_part_are_looked_at_again(root, tmp_path):
    folder = tmp_path / "config"
    folder.mkdir()
    kept = parts(root, Kept("v"), folder).kept
    (folder / "settings.json").write_text('{"env": {"DISABLE_PROMPT_CACHING": "1"}}')
    made = parts(root, kept, folder)
    assert made.is_new
    found = summed(made.parts, CONTEXT, made.around, list).found
    assert any(each.finding.id.startswith("settings/caching-off") for each in found.ranked)
    assert not parts(root, made.kept, folder).is_new


def test_a_memory_file_above_is_looked_at_again_by_the_sessions_that_read_it(tmp_path, monkeypatch):
    logs, above = tmp_path / "logs", tmp_path / "w"
    here = {"cwd": str(above / "p")}
    write(logs, f"{SESSION}.jsonl", user("One") | here, assistant("msg_1") | here)
    write(logs, f"{OTHER}.jsonl", assistant("msg_3") | {"sessionId": OTHER, "cwd": str(tmp_path / "q")})
    first = parts(logs, Kept("v"))
    above.mkdir()
    (above / "CLAUDE.md").write_text("Write clean code.\n")
    looked = []
    look = hands.look_at
    monkeypatch.setattr(hands, "look_at", lambda group, *rest: looked.append(len(group)) or look(group, *rest))
    again = parts(logs, first.kept)
    assert looked == [1]
    assert_as_a_whole(logs, again)
    found = summed(again.parts, CONTEXT, again.around, list).found
    assert f"claude-md/{above / 'CLAUDE.md'}" in {each.finding.id for each in found.ranked}


def test_a_file_that_cannot_be_read_is_not_kept(root, monkeypatch):
    gone = root / f"{OTHER}.jsonl"
    real = open

    def opened(path, *arguments, **more):
        if path == bytes(gone):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **more)

    monkeypatch.setattr("builtins.open", opened)
    made = parts(root, Kept("v"))
    assert [each.why for part in made.parts for each in part.skipped] == ["cannot be read: permission denied"]
    assert [member.path for member in made.kept.members] == [str(root / f"{SESSION}.jsonl").encode()]


CHANGES = st.lists(
    st.tuples(st.sampled_from(["write", "unlink"]), st.integers(0, 3), st.lists(st.integers(0, 5), max_size=3)),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=40)
@given(st.lists(CHANGES, min_size=1, max_size=3))
def test_whatever_happens_between_runs(tmp_path_factory, runs):
    root = tmp_path_factory.mktemp("logs")
    kept, count = Kept("v"), 0
    for changes in runs:
        for what, name, messages in changes:
            count += 1
            path = root / f"s{name}.jsonl"
            if what == "unlink":
                path.unlink(missing_ok=True)
            else:
                lines = [assistant(f"msg_{each}") | {"sessionId": f"s{name}"} for each in messages]
                write(root, path.name, *lines, user(f"prompt {count}") | {"sessionId": f"s{name}"})
        made = parts(root, kept)
        assert_as_a_whole(root, made)
        kept = made.kept


def test_two_processes_find_what_one_does(root, monkeypatch):
    alone = parts(root, Kept("v"))
    monkeypatch.setattr(hands, "WORTH_A_PROCESS", 0)
    assert shown(summed(parts(root, Kept("v")).parts, CONTEXT, alone.around, list)) == shown(
        summed(alone.parts, CONTEXT, alone.around, list)
    )
