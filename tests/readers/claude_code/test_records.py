from __future__ import annotations

import msgspec
import pytest

from readers.transcripts import assistant, result, source, taken, tool, user
from underspend.core.history import Answered, Mark, Place, Result, ToolUse, Typed
from underspend.core.usage import Metered, Unit, Usage
from underspend.readers.claude_code.records import pack, row, unpack


@pytest.mark.parametrize("kind", [Answered, Result, Typed, Mark, Place, ToolUse, Metered, Unit, Usage])
def test_a_row_has_the_fields_of_its_dataclass(kind: type) -> None:
    made = msgspec.structs.fields(row(kind))
    assert [field.name for field in made] == list(kind.__dataclass_fields__)


def test_a_row_packs_to_the_dataclass() -> None:
    packed = pack(row(Place)("file", 3))
    assert msgspec.msgpack.decode(packed, type=Place) == Place(file="file", line=3)


def test_nothing_else_has_rows() -> None:
    with pytest.raises(TypeError):
        row(int)


def test_an_extract_survives_packing() -> None:
    found = taken(user("Hi"), assistant("msg_1", tool("t1")), user([result("t1")]))
    assert unpack(pack(found)) == found


def test_a_source_shows_its_path() -> None:
    assert source("/p/a.jsonl").shown == "/p/a.jsonl"
    assert source("/p/a.jsonl").path.name == "a.jsonl"
