from __future__ import annotations

from underspend.formats.dialects.left_out import LeftOut


def test_each_note_is_said_once_in_the_order_it_was_met() -> None:
    left_out = LeftOut()
    left_out.note("b", "why")
    left_out.unknown(["a", "a"])
    left_out.note("b", "why")
    left_out.note("c")
    assert left_out.notes == ("b: why", "a: the provider has nothing like it", "c")
