from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from core.calls import call
from strategies.talks import decided, known
from underspend.core.call import Identity, Role
from underspend.core.conversation import Habits
from underspend.core.edits import SetMaxOutput
from underspend.strategies.cap_output import CapOutput


def limit(seen: Sequence[int] = (), *, kind: str = "k", strategy: CapOutput | None = None, **more: Any) -> int | None:
    asked = call(kind=kind, max_output=8_000, **more)
    edits = decided(strategy or CapOutput(), asked, known(habits=Habits(outputs={kind: sorted(seen)})))
    return next((edit.tokens for edit in edits if isinstance(edit, SetMaxOutput)), None)


def test_the_limit_is_half_as_long_again_as_what_99_of_100_were() -> None:
    assert limit([1_000] * 99 + [9_000]) == 1_500
    assert limit([1_000] * 98 + [3_000] * 2) == 4_500


def test_it_is_never_raised_and_never_tiny() -> None:
    assert limit([7_000] * 60) is None
    assert limit([3] * 60) == 256
    assert limit([3] * 60, thinking_budget=2_000) == 2_256


def test_a_reply_cut_off_makes_room_for_the_next() -> None:
    """Replies of 3,000 tokens, with a limit that was learned from short ones: it grows until nothing is cut off."""
    seen, cut_off = [400] * 60, 0
    for _ in range(300):
        most = limit(seen) or 8_000
        cut_off += most < 3_000
        seen.append(min(3_000, most))
    assert cut_off < 30
    assert (limit(seen) or 8_000) >= 3_000


def test_before_any_was_seen_the_table_tells() -> None:
    assert limit(kind="yes_no") == 256
    assert limit(kind="short_answer") == 300
    assert limit(kind="explanation", seen=[50] * 49) == 6_000
    assert limit(kind="explanation", seen=[50] * 50) == 256
    assert limit(kind="main") is None
    assert limit(kind="mine", strategy=CapOutput(kinds={"mine": 1_000})) == 1_500


@pytest.mark.parametrize("more", [{"identity": Identity(role=Role.COMPACTION)}, {"endpoint": "count_tokens"}])
def test_summaries_and_counts_are_not_limited(more: dict[str, Any]) -> None:
    assert limit([10] * 60, **more) is None


def test_no_headroom_is_refused() -> None:
    with pytest.raises(ValueError, match="room"):
        CapOutput(headroom_percent=100)
