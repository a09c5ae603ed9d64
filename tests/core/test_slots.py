from __future__ import annotations

from dataclasses import replace

from core.calls import call
from strategies.talks import MINUTE, block
from underspend.core.call import Section
from underspend.core.plan import Plan
from underspend.core.slots import Beginnings, Failure, Slot, after

ASKED = call(model="dear", effort="high")


def sent(model: str, *, at: int = 0, asked: str = "dear", **more: object) -> Plan:
    was = replace(ASKED, model=asked, time=at)
    return Plan(asked=was, call=replace(was, model=model, **more))  # type: ignore[arg-type]


def test_a_slot_begins_with_what_was_sent() -> None:
    assert after(None, sent("cheap")) == Slot(asked="dear", model="cheap", provider="anthropic")


def test_it_is_the_same_while_nothing_changes() -> None:
    slot = after(None, sent("cheap"))
    assert after(slot, sent("cheap", at=9)) is slot
    assert after(slot, sent("cheap", at=9, effort="low")) == replace(slot, effort="low")
    assert after(replace(slot, effort="low"), sent("cheap")) == slot


def test_a_change_is_dated_and_one_after_a_failure_is_an_escalation() -> None:
    slot = after(None, sent("cheap"))
    assert after(slot, sent("middle", at=5)) == replace(slot, model="middle", changed_at=5)
    failed = replace(slot, failures=(Failure("a test failed", at=3),))
    assert failed.unanswered == failed.failures
    up = after(failed, sent("middle", at=5))
    assert (up.model, up.escalations, up.unanswered) == ("middle", 1, ())


def test_a_client_that_asks_for_another_model_begins_anew() -> None:
    slot = replace(after(None, sent("cheap")), failures=(Failure("it refused", at=3, certain=True),))
    assert after(slot, sent("other", asked="other")) == Slot(asked="other", model="other", provider="anthropic")


def beginning(front: bytes, *, at: int, model: str = "dear", to: str = "cheap") -> Plan:
    blocks = (block(section=Section.SYSTEM, digest=front), block(digest=b"said"))
    asked = replace(ASKED, model=model, time=at, blocks=blocks)
    return Plan(asked=asked, call=replace(asked, model=to))


def test_what_begins_alike_within_an_hour_knows_where_the_last_one_went() -> None:
    begun, first = Beginnings(), beginning(b"a", at=0)
    assert begun.beside(first.asked) is None
    slot = after(None, first)
    begun.add(first, slot)
    assert begun.beside(beginning(b"a", at=60 * MINUTE).asked) is slot
    assert begun.beside(beginning(b"a", at=61 * MINUTE).asked) is None
    assert begun.beside(beginning(b"b", at=1).asked) is None
    assert begun.beside(beginning(b"a", at=1, model="other").asked) is None
    home = beginning(b"a", at=2, to="dear")
    begun.add(home, after(None, home))
    assert begun.beside(first.asked) == after(None, home)


def test_beginnings_are_not_kept_for_ever() -> None:
    begun = Beginnings()
    for number in range(5_000):
        plan = beginning(number.to_bytes(4, "big"), at=0)
        begun.add(plan, after(None, plan))
    assert begun.beside(beginning((0).to_bytes(4, "big"), at=1).asked) is None
    assert begun.beside(beginning((4_999).to_bytes(4, "big"), at=1).asked) is not None
