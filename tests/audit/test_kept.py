import os
from pathlib import Path

import msgspec
import pytest

from underspend.audit import kept as module
from underspend.audit.kept import Kept, Member, Store, version_of_code, zone_of_machine
from underspend.readers.claude_code.records import Source

MEMBER = Member(b"/t/a.jsonl", "p", 1, 2, 3, "/home", b"")


def store(folder, *, roots=("/t",), looking="UTC"):
    return Store(folder, [Path(root) for root in roots], looking)


def test_what_is_kept_is_there_again(tmp_path):
    one = store(tmp_path / "new")
    one.save(Kept(one.version, [MEMBER], losses=4))
    found = store(tmp_path / "new").load()
    assert (found.members[0].path, found.losses, found.recalled) == (b"/t/a.jsonl", 4, None)
    assert one.path.stat().st_mode & 0o777 == 0o600


def test_other_roots_and_other_ways_of_looking_are_kept_apart(tmp_path):
    one = store(tmp_path)
    one.save(Kept(one.version, [MEMBER]))
    assert store(tmp_path, roots=("/u",)).load().members == []
    assert store(tmp_path, looking="Asia/Tokyo").load().members == []


def test_what_is_corrupt_or_of_another_version_is_absent(tmp_path, monkeypatch):
    one = store(tmp_path)
    one.save(Kept(one.version, [MEMBER]))
    good = one.path.read_bytes()
    for bad in (b"", good[:-1], good[:20] + b"\x00" + good[21:]):
        one.path.write_bytes(bad)
        assert one.load().members == []
    one.path.write_bytes(good)
    monkeypatch.setattr(module, "version_of_code", lambda: "another")
    assert store(tmp_path).load().members == []


def test_without_a_folder_nothing_is_kept(tmp_path):
    nowhere = store(None)
    nowhere.save(Kept("x", [MEMBER]))
    assert nowhere.load().members == []
    (tmp_path / "file").write_text("")
    store(tmp_path / "file" / "below").save(Kept("x"))


def test_only_the_newest_files_stay(tmp_path):
    for number in range(12):
        one = store(tmp_path, looking=str(number))
        one.save(Kept(one.version))
        os.utime(one.path, (number, number))
    assert len(list(tmp_path.iterdir())) == 8
    assert store(tmp_path, looking="11").path.exists()


def test_a_file_is_the_same_in_the_same_state():
    source = Source(b"/t/a.jsonl", "p", 1, 2, 3)
    assert MEMBER.is_as(source)
    assert not MEMBER.is_as(Source(b"/t/a.jsonl", "p", 9, 2, 3))


def test_what_went_into_a_ledger_is_noted(tmp_path):
    one = store(tmp_path)
    other = msgspec.structs.replace(MEMBER, path=b"/t/b.jsonl")
    one.save(Kept(one.version, [MEMBER, other]))
    one.note({b"/t/a.jsonl"}, "ledger 1")
    assert [member.in_ledger for member in one.load().members] == [True, False]
    one.note({b"/t/b.jsonl"}, "ledger 2")
    assert ([member.in_ledger for member in one.load().members], one.load().ledger) == ([False, True], "ledger 2")


def test_the_code_has_a_version_and_the_machine_a_zone(monkeypatch):
    assert version_of_code() == version_of_code()
    before = zone_of_machine()
    monkeypatch.setenv("TZ", "Nowhere/Else")
    assert zone_of_machine() != before


@pytest.mark.parametrize("raw", [b"\x00" * 40, b"12345678\xc1"])
def test_what_is_no_store_is_absent(tmp_path, raw):
    one = store(tmp_path)
    one.path.write_bytes(raw)
    assert one.load().members == []
