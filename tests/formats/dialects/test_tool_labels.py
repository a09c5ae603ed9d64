from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.dialects.asks import UNTIMED
from underspend.formats.dialects.neutral import Tool
from underspend.formats.dialects.tool_labels import (
    asked_names,
    exact_id,
    made_id,
    sent_name,
    short_id,
    unwrapped_id,
    wrapped_id,
)

ANY = st.text(max_size=200)


@UNTIMED
@given(ANY)
def test_every_id_can_be_made_one_that_anthropic_takes_and_is_found_again(given_id: str) -> None:
    wrapped = wrapped_id(given_id)
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", wrapped)
    assert unwrapped_id(wrapped) == given_id
    assert wrapped_id(wrapped) == wrapped or given_id.startswith("uxid_") or wrapped.startswith("uxid_")


@pytest.mark.parametrize("kept", ["toolu_01A", "call_x-1", "a"])
def test_an_id_that_is_taken_is_kept(kept: str) -> None:
    assert wrapped_id(kept) == unwrapped_id(kept) == short_id(kept, 40) == kept


@pytest.mark.parametrize("foreign", ["uxid_!!!", "uxid_YWJj", "uxid_gA"])
def test_an_id_that_only_looks_wrapped_is_left_alone(foreign: str) -> None:
    assert unwrapped_id(foreign) == foreign


@UNTIMED
@given(ANY, ANY)
def test_short_ids_fit_and_differ_where_the_ids_do(one: str, other: str) -> None:
    assert len(short_id(one, 40)) <= 40
    assert len(exact_id(one, 9)) == 9
    assert (short_id(one, 40) == short_id(other, 40)) == (one == other)


def test_mistral_gets_nine_letters_and_digits() -> None:
    assert exact_id("abcDEF123", 9) == "abcDEF123"
    assert re.fullmatch(r"[a-zA-Z0-9]{9}", exact_id("call_1", 9))
    assert len(short_id("a" * 50, 9)) == 9


def test_ids_are_made_from_the_reply_and_the_place() -> None:
    assert made_id("r", 0) == made_id("r", 0)
    assert len({made_id("r", 0), made_id("r", 1), made_id("s", 0)}) == 3


@UNTIMED
@given(ANY)
def test_names_are_sent_in_the_letters_and_length_that_openai_takes(name: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]*", sent_name(name, 64))
    assert len(sent_name(name, 64)) <= 64


def test_the_client_gets_its_own_names_back() -> None:
    long, dotted = "mcp__" + "server" * 15, "a.b"
    tools = [Tool(name, {}) for name in ("plain", long, dotted)]
    known = asked_names(tools, 64)
    assert {known[sent_name(name, 64)] for name in (long, dotted)} == {long, dotted}
    assert "plain" not in known
