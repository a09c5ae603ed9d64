from __future__ import annotations

import pytest

from advisors.scenes import MINUTE, line, mark, reply, typed
from underspend.advisors.cache_busts.causes import Cause, Reason, reason
from underspend.advisors.reading import steps
from underspend.core.history import MarkKind

TTL = 5 * MINUTE


def why(*between, timed: bool = True, at: int = MINUTE, first: dict | None = None, **second) -> Reason:
    one, two = steps(line(reply("a", 0, **(first or {})), *between, reply("b", at, **second)), {})
    return reason(one, two, TTL, timed=timed)


def test_a_pause_within_the_lifetime_is_unexplained() -> None:
    assert why(version="2.1.5") == Reason(Cause.UNEXPLAINED, "2.1.5, 1 min after the call before")
    assert why(at=TTL).cause is Cause.UNEXPLAINED


@pytest.mark.parametrize(
    ("minutes", "cause"),
    [(6, Cause.SHORT_BREAK), (60, Cause.SHORT_BREAK), (61, Cause.LONG_BREAK), (4_000, Cause.LONG_BREAK)],
)
def test_a_longer_pause_is_a_break(minutes: int, cause: Cause) -> None:
    assert why(at=minutes * MINUTE) == Reason(cause)


def test_a_pause_is_from_request_to_request() -> None:
    assert why(typed(4 * MINUTE), at=6 * MINUTE).cause is Cause.UNEXPLAINED


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (MarkKind.COMPACTION, Cause.COMPACTION),
        (MarkKind.MICROCOMPACTION, Cause.MICROCOMPACTION),
        (MarkKind.RESUME, Cause.RESUME),
        (MarkKind.TOOLS_CHANGED, Cause.TOOLS_CHANGED),
    ],
)
def test_what_the_client_noted(kind: MarkKind, cause: Cause) -> None:
    assert why(mark(kind, detail="x")) == Reason(cause, "x")


def test_what_changed_between_the_two_replies() -> None:
    assert why(model="n") == Reason(Cause.MODEL_SWITCH, "m → n")
    assert why(first={"effort": "high"}, effort="low") == Reason(Cause.EFFORT_CHANGE, "high → low")
    assert why(first={"effort": "high"}).cause is Cause.UNEXPLAINED
    assert why(first={"version": "1"}, version="2") == Reason(Cause.CLIENT_UPDATE, "1 → 2")


def test_what_changes_the_key_comes_before_the_clock_and_what_comes_with_a_start_after_it() -> None:
    assert why(mark(MarkKind.RESUME), at=9 * MINUTE, model="n").cause is Cause.MODEL_SWITCH
    assert why(mark(MarkKind.RESUME), at=9 * MINUTE) == Reason(Cause.SHORT_BREAK, "resumed")
    assert why(at=90 * MINUTE, first={"version": "1"}, version="2").cause is Cause.LONG_BREAK


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("model_changed", Cause.MODEL_SWITCH),
        ("tools_changed", Cause.TOOLS_CHANGED),
        ("system_changed", Cause.SYSTEM_CHANGED),
        ("messages_changed", Cause.HISTORY_CHANGED),
    ],
)
def test_the_providers_word_comes_first(said: str, cause: Cause) -> None:
    assert why(at=9 * MINUTE, miss_reason=said) == Reason(cause, "", said)


def test_the_clients_note_says_it_more_precisely() -> None:
    compacted = why(mark(MarkKind.COMPACTION), miss_reason="messages_changed")
    assert compacted == Reason(Cause.COMPACTION, "", "messages_changed")
    updated = why(first={"version": "1"}, version="2", miss_reason="system_changed")
    assert updated == Reason(Cause.CLIENT_UPDATE, "1 → 2", "system_changed")
    assert why(model="n", miss_reason="model_changed").detail == "m → n"


@pytest.mark.parametrize("said", ["unavailable", "previous_message_not_found", "something_new"])
def test_a_provider_that_cannot_tell_is_quoted_and_the_cause_inferred(said: str) -> None:
    assert why(at=9 * MINUTE, miss_reason=said) == Reason(Cause.SHORT_BREAK, "", said)
    assert why(miss_reason=said).said == said


def test_copied_times_say_nothing_about_pauses() -> None:
    assert why(timed=False, at=9 * MINUTE).cause is Cause.COPIED_HISTORY
    assert why(timed=False, model="n").cause is Cause.MODEL_SWITCH
