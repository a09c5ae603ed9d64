from __future__ import annotations

import msgspec
import pytest

from readers.transcripts import assistant, result, source, taken, tool, user
from underspend.core.usage import Lane, Metered, Unit, Usage
from underspend.readers.claude_code.records import pack, row, unpack


@pytest.mark.parametrize("kind", [Metered, Unit, Usage])
def test_a_row_has_the_fields_of_its_dataclass(kind: type) -> None:
    made = msgspec.structs.fields(row(kind))
    assert [field.name for field in made] == list(kind.__dataclass_fields__)


def test_a_row_packs_to_the_dataclass() -> None:
    packed = pack(row(Usage)(1, 2))
    assert msgspec.msgpack.decode(packed, type=Usage) == Usage(1, 2)


def test_a_row_has_the_properties_and_methods_of_its_dataclass() -> None:
    usage = row(Usage)(1, 2, 3, 4, 5)
    metered = row(Metered)(provider="anthropic", model="m", units=(row(Unit)("message", usage),), reported=usage)
    assert (usage.prompt, usage.lane(Lane.OUTPUT), metered.usage, metered.served_model) == (10, 5, usage, "m")
    twice = row(Metered)(provider="anthropic", model="m", units=metered.units * 2, reported=usage)
    assert twice.usage == Usage(2, 4, 6, 8, 10)


def test_nothing_else_has_rows() -> None:
    with pytest.raises(TypeError):
        row(int)


def test_an_extract_survives_packing() -> None:
    found = taken(user("Hi"), assistant("msg_1", tool("t1")), user([result("t1")]))
    assert unpack(pack(found)) == found


def test_a_source_shows_its_path() -> None:
    assert source("/p/a.jsonl").shown == "/p/a.jsonl"
    assert source("/p/a.jsonl").path.name == "a.jsonl"
