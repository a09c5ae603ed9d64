from __future__ import annotations

from dataclasses import replace

from strategies.talks import block
from underspend.core.call import Block
from underspend.core.summaries import can_part, old_part, prefix_of, prefixes, tokens_of, turns


def talk(*kinds: str) -> tuple[Block, ...]:
    """Messages by letters: u a user's words, a the model's, c its use of a tool, r the result of the last use."""
    found, ref = list[Block](), 0
    for at, kind in enumerate(kinds):
        ref += kind == "c"
        role = "user" if kind in {"u", "r"} else "system" if kind == "s" else "assistant"
        name = {"c": "tool_use", "r": "tool_result"}.get(kind, "text")
        tie = f"t{ref}" if kind in {"c", "r"} else None
        found.append(block(name, 10, message=at, role=role, ref=tie, label=f"{at}"))
    return tuple(found)


TALK = talk(*"ucraucrauau")


def test_turns_begin_where_a_person_speaks() -> None:
    assert turns(TALK) == [0, 4, 8, 10]


def test_the_old_part_ends_before_the_turns_that_stay() -> None:
    assert [old_part(TALK, keep) for keep in (1, 2, 3, 4, 9)] == [(1, 9), (1, 7), (1, 3), None, None]
    assert old_part((), 1) is None
    assert old_part(talk(*"uscrauau"), 1) == (2, 6)


def test_messages_can_be_parted_only_where_a_turn_begins() -> None:
    assert [at for at in range(-2, 13) if can_part(TALK, 1, at)] == [3, 7, 9]


def test_a_use_is_never_parted_from_its_result() -> None:
    late = (*talk(*"ucuau"), block("tool_result", 1, message=5, role="user", ref="t1"))
    assert not can_part(late, 1, 1)
    assert not can_part(late, 1, 3)


def test_what_the_client_says_as_the_system_goes_only_where_it_is_short() -> None:
    nudged = talk(*"ucrscrauau")
    assert can_part(nudged, 1, 6)
    assert not can_part(tuple(replace(each, tokens=65) if each.role == "system" else each for each in nudged), 1, 6)
    assert not can_part(tuple(replace(each, kind="x") if each.role == "system" else each for each in nudged), 1, 6)


def test_a_message_that_shows_nothing_stays() -> None:
    assert not can_part(tuple(each for each in TALK if each.message != 2), 1, 3)


def test_a_prefix_has_the_name_of_its_messages_and_its_caller() -> None:
    longer = (*TALK, block("text", 5, message=11, role="assistant"))
    assert dict(prefixes(longer)).items() > dict(prefixes(TALK)).items()
    assert prefix_of(TALK, 10) is None
    assert prefix_of(TALK, 3) != prefix_of(TALK, 3, "another")
    other = (replace(TALK[0], digest=b"other"), *TALK[1:])
    assert prefix_of(other, 3) != prefix_of(TALK, 3)


def test_breakpoints_and_sizes_make_no_other_prefix() -> None:
    marked = tuple(replace(each, breakpoint="5m", tokens=99) for each in TALK)
    assert prefix_of(marked, 7) == prefix_of(TALK, 7)


def test_tokens_are_counted_by_message() -> None:
    assert tokens_of(TALK, 1, 3) == 30
