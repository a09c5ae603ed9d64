from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.transcripts import assistant, line, user
from underspend.readers.claude_code.lines import Broken, entries
from underspend.readers.claude_code.shapes import Line

ONE, TWO = line(assistant("msg_1")), line(user("Hi"))


def read(data: bytes) -> list[tuple[int, str]]:
    return [
        (number, found.why if isinstance(found, Broken) else str(found.type))
        for number, found in entries(BytesIO(data))
    ]


def test_each_line_is_an_entry() -> None:
    assert read(ONE + b"\n" + TWO + b"\n") == [(1, "assistant"), (2, "user")]


@pytest.mark.parametrize(
    "data",
    [
        ONE + TWO,
        ONE + b" " + TWO,
        b"\xef\xbb\xbf" + ONE + b"\r\n" + TWO + b"\r\n",
        b"\n\r\n" + ONE + b"\n   \n" + TWO,
        ONE + b"\0\0\0" + TWO,
    ],
    ids=["glued", "glued with a blank", "BOM and CRLF", "blank lines", "zero bytes between"],
)
def test_both_entries_are_found(data: bytes) -> None:
    assert [kind for _, kind in read(data) if kind in {"assistant", "user"}] == ["assistant", "user"]


def test_a_truncated_entry_before_another_costs_itself_alone() -> None:
    assert read(ONE[:-30] + TWO + b"\n") == [(1, "a broken piece before another entry"), (1, "user")]


def test_an_entry_written_into_another_is_found() -> None:
    assert (1, "user") in read(ONE[:200] + TWO + ONE[200:] + b"\n")


def test_what_follows_an_entry_is_listed() -> None:
    assert read(ONE + b"}}\n") == [(1, "assistant"), (1, "a broken piece after another entry")]


def test_the_last_line_of_a_file_being_written() -> None:
    assert read(ONE + b"\n" + TWO[:50]) == [(1, "assistant"), (2, "the last line is not finished")]


def test_a_run_of_zero_bytes_is_listed() -> None:
    assert read(b"\0" * 100 + b"\n" + ONE + b"\n") == [(1, "a run of zero bytes"), (2, "assistant")]


@pytest.mark.parametrize("data", [b"12", b"[1]", b'"text"', b"null", b"{]", b"word"])
def test_what_is_no_object_is_listed(data: bytes) -> None:
    assert read(data + b"\n" + ONE + b"\n") == [(1, "not a JSON object"), (2, "assistant")]


def test_an_inner_object_of_a_broken_entry_is_no_entry() -> None:
    broken = b'{"parentUuid":"' + b'x","sessionId":"s","data":{"message":{"type":"assistant","message":{"id":"m"}}'
    assert read(broken + b"\n") == [(1, "not a JSON object")]


def test_an_old_summary_names_no_session() -> None:
    assert read(b'{"type":"summary","summary":"s"}{"type":"summary","summary":"t"}\n') == [
        (1, "summary"),
        (1, "summary"),
    ]


def test_deep_nesting_is_a_broken_piece() -> None:
    deep = b'{"type":"user","message":' + b"[" * 200_000 + b"\n"
    assert read(deep + ONE + b"\n") == [(1, "not a JSON object"), (2, "assistant")]


@given(st.binary(max_size=200))
def test_no_bytes_are_too_much(data: bytes) -> None:
    found = list(entries(BytesIO(data + b"\n" + ONE + b"\n")))
    assert isinstance(found[-1][1], Line)
    assert found[-1][1].type == "assistant"


@given(st.integers(1, len(ONE) - 1))
def test_a_cut_anywhere_costs_one_entry(cut: int) -> None:
    assert [kind for _, kind in read(ONE[:cut] + b"\n" + TWO + b"\n")][-1] == "user"
    assert [kind for _, kind in read(ONE[:cut] + TWO + b"\n")][-1] == "user"
