from __future__ import annotations

from dataclasses import replace

from core.calls import call
from underspend.core.plan import Plan


def test_a_plan_is_edited_when_another_call_is_sent() -> None:
    asked = call()
    assert not Plan(asked=asked, call=asked).edited
    assert Plan(asked=asked, call=replace(asked, model="cheap")).edited
