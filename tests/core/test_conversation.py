from __future__ import annotations

from dataclasses import replace

from core.calls import result
from underspend.core.conversation import Conversation, Habits, name_of


def test_nothing_known_is_cold() -> None:
    assert Conversation().is_cold
    assert not Conversation(warm_tokens=1).is_cold
    assert (dict(Habits().gaps), dict(Habits().outputs)) == ({}, {})


def test_a_block_is_known_by_its_content_and_its_use() -> None:
    block = result("t1")
    assert name_of(block) == name_of(replace(block, breakpoint="1h", tokens=99, message=7))
    assert len({name_of(each) for each in (block, result("t2"), replace(block, ref="t2"))}) == 3
