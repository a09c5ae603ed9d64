from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, Table, create_engine, select

from stores.records import call, decision, line, prompt, settlement
from underspend.core.ports import Settlement
from underspend.stores import schema
from underspend.stores.rows import RowWriter


def written(engine: Engine, *settlements: Settlement) -> None:
    with engine.begin() as connection:
        RowWriter().write(connection, settlements)


def table(engine: Engine, name: Table) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(name)).mappings()]


def test_a_settlement_replaces_its_intent(engine: Engine) -> None:
    with engine.begin() as connection:
        RowWriter().add_calls(connection, [call()])
    written(engine, settlement(started_at=99))
    (row,) = table(engine, schema.calls)
    assert (row["state"], row["outcome"], row["cost_pico"]) == ("settled", "ok", 5)
    assert row["started_at"] == 10  # where it was


def test_a_late_intent_changes_nothing(engine: Engine) -> None:
    written(engine, settlement())
    with engine.begin() as connection:
        RowWriter().add_calls(connection, [call(), call("c2")])
    assert {row["id"]: row["state"] for row in table(engine, schema.calls)} == {"c1": "settled", "c2": "open"}


def test_written_again_it_is_the_same(engine: Engine) -> None:
    every = [schema.calls, schema.bill_lines, schema.decisions, schema.blocks, schema.prompts]
    written(engine, settlement(lines=2, prompt=prompt("a", "b")))
    before = [table(engine, each) for each in every]
    written(engine, settlement(lines=2, prompt=prompt("a", "b")))
    assert [table(engine, each) for each in every] == before
    assert all(before)


def test_settled_again_with_less_it_keeps_nothing_of_before(engine: Engine) -> None:
    written(engine, settlement(lines=3), settlement("other", lines=3))
    written(engine, Settlement(call=settlement().call, lines=[line("c1", 0, 7)]))
    mine = [row["amount_pico"] for row in table(engine, schema.bill_lines) if row["call_id"] == "c1"]
    assert mine == [7]
    assert [row["call_id"] for row in table(engine, schema.decisions)] == ["other"]


@given(st.lists(st.sets(st.sampled_from(["cost_pico", "input_tokens", "status", "notes"])), min_size=1, max_size=5))
def test_rows_of_one_batch_may_lack_different_columns(present: list[set[str]]) -> None:
    """A refused call has no tokens; beside a billed one in the same batch it still gets the defaults."""
    engine = create_engine("sqlite://")
    schema.metadata.create_all(engine)
    whole = {"cost_pico": 7, "input_tokens": 7, "status": 7, "notes": "7"}
    batch = [Settlement(call=call(f"c{n}", **{name: whole[name] for name in names})) for n, names in enumerate(present)]
    written(engine, *batch)
    for row, names in zip(table(engine, schema.calls), present, strict=True):
        for name, value in whole.items():
            absent = 0 if name in {"cost_pico", "input_tokens"} else None
            assert row[name] == (value if name in names else absent)
    engine.dispose()


def test_a_prompt_is_kept_as_digests(engine: Engine) -> None:
    written(engine, settlement(prompt=prompt("my diary", "and again")))
    (kept,) = table(engine, schema.prompts)
    digests = [kept["digests"][at : at + 16] for at in range(0, len(kept["digests"]), 16)]
    assert len(digests) == 3
    assert {row["digest"] for row in table(engine, schema.blocks)} == set(digests)
    assert json.loads(kept["breakpoints"]) == {}
    assert table(engine, schema.calls)[0]["turn"].startswith("1-")
    assert "my diary" not in repr([table(engine, each) for each in schema.metadata.sorted_tables])


def test_a_turn_that_the_client_named_stays(engine: Engine) -> None:
    written(engine, settlement(prompt=prompt("a"), turn="p7"))
    assert table(engine, schema.calls)[0]["turn"] == "p7"


def test_breakpoints_are_kept_by_position(engine: Engine) -> None:
    marked = [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"ttl": "1h"}}]}]
    parts = prompt()
    written(engine, settlement(prompt=type(parts)(tools=b"[]", system=b'"s"', messages=json.dumps(marked).encode())))
    assert json.loads(table(engine, schema.prompts)[0]["breakpoints"]) == {"1": "1h"}


def test_contents_are_kept_when_given(engine: Engine) -> None:
    written(engine, settlement())
    assert table(engine, schema.contents) == []
    written(engine, Settlement(call=settlement().call, contents={"call_id": "c1", "request": b"q", "reply": None}))
    assert table(engine, schema.contents) == [{"call_id": "c1", "request": b"q", "reply": None}]


def test_the_first_word_on_a_session_stays(engine: Engine) -> None:
    with engine.begin() as connection:
        for project in ("first", "second"):
            RowWriter().add_session(connection, {"session": "s", "project": project, "directory": "d"})
    assert [row["project"] for row in table(engine, schema.sessions)] == ["first"]


@pytest.mark.parametrize("count", [1, 600])
def test_many_at_once(engine: Engine, count: int) -> None:
    written(engine, *(settlement(f"c{n}") for n in range(count)))
    assert len(table(engine, schema.calls)) == len(table(engine, schema.bill_lines)) == count
    assert table(engine, schema.decisions)[0]["why"] == decision("c0")["why"]
