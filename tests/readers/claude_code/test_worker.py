from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

from readers.transcripts import assistant, write
from underspend.readers.claude_code.records import unpack
from underspend.readers.claude_code.roots import sources
from underspend.readers.claude_code.sharing import LENGTH, NUMBER, Task, encode
from underspend.readers.claude_code.worker import work


def test_it_reads_what_the_queue_gives(tmp_path: Path) -> None:
    write(tmp_path / "logs", "a.jsonl", assistant("msg_1"))
    write(tmp_path / "logs", "b.jsonl", assistant("msg_2"))
    found = sources([tmp_path / "logs"])[0]
    queue, feed = os.pipe()
    os.write(feed, NUMBER.pack(1))
    os.close(feed)
    answers = BytesIO()
    work(BytesIO(encode(Task(queue, os.fsencode(tmp_path / "cache"), [[item] for item in found]))), answers)
    os.close(queue)
    data = answers.getvalue()
    path_length, length = LENGTH.unpack_from(data)
    assert data[LENGTH.size :][:path_length] == found[1].raw_path
    extract = unpack(data[LENGTH.size + path_length :])
    assert extract.parts[0].answered[0].message_id == "msg_2"
    assert len(data) == LENGTH.size + path_length + length
    assert len(list((tmp_path / "cache").iterdir())) == 1
