import os
import stat
import sys

import pytest

from integrations.alerts.servers import alert
from underspend.integrations.alerts import record as recording
from underspend.integrations.alerts.record import NAME, Record, Sent, State


def sent(number=0, **more):
    return Sent(**{"at": number, "to": "ops", "state": State.SENT, "alert": alert(f"s{number}"), **more})


def test_what_is_written_is_read_in_its_order(tmp_path):
    record = Record(tmp_path)
    rows = [sent(0), sent(1, state=State.FAILED, tries=6, error="h answers 500"), sent(2, state=State.DROPPED, tries=0)]
    for row in rows:
        record.add(row)
    assert list(Record(tmp_path).read()) == rows


@pytest.mark.skipif(sys.platform == "win32", reason="files have no modes there")
def test_nobody_else_can_read_it(tmp_path):
    Record(tmp_path).add(sent())
    assert stat.S_IMODE(os.stat(tmp_path / NAME).st_mode) == 0o600


def test_it_does_not_grow_and_keeps_the_newest(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "_TURN_BYTES", 2_000)
    record = Record(tmp_path)
    for number in range(100):
        record.add(sent(number))
    kept = [row.at for row in record.read()]
    assert kept == list(range(kept[0], 100))
    assert len(kept) >= 5
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 6_000


def test_half_a_line_and_foreign_lines_are_left_out(tmp_path):
    record = Record(tmp_path)
    record.add(sent(0))
    with (tmp_path / NAME).open("ab") as file:
        file.write(b'{"at":1}\n\xff\xfe\n{"at":2,"to":"o","state":"sent","al\n')
    record.add(sent(3))
    assert [row.at for row in record.read()] == [0, 3]


def test_nothing_written_is_nothing_read(tmp_path):
    assert list(Record(tmp_path / "none").read()) == []


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(OSError, match="none"):
        Record(tmp_path / "none").add(sent())
