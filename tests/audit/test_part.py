"""What holds the two steps of the audit together: however a history is cut into parts, the same comes of it."""

from dataclasses import fields, replace
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisors import random_histories, scenes
from audit.histories import DAY, HAIKU, START, history, line, reply, sample
from reports.audit.reports import Broken, TwoFindings
from underspend.advisors import BUILTIN
from underspend.audit.choice import Choice
from underspend.audit.part import Part, pack, part_of, unpack
from underspend.audit.whole import Context, audit, looking_of, summed
from underspend.core.advisor import Surroundings
from underspend.core.history import ClientTotal, History, Place

CONTEXT = Context(now=START + 2 * DAY, zone=ZoneInfo("UTC"), advisors=BUILTIN)
MEMORY = "## Stack\nRust\n## Advice\nWrite clean code.\n"


def around(now: int) -> Surroundings:
    return Surroundings(
        now=now,
        bills={},
        rates=scenes.FlatRates(),
        settings={"/cfg/settings.json": {"env": {"DISABLE_PROMPT_CACHING": "1", "ENABLE_TOOL_SEARCH": "false"}}},
        memory_files={"/cfg/CLAUDE.md": MEMORY, "/home/u/p/CLAUDE.md": MEMORY},
    )


def by_session(made: History, groups: dict[str, int]) -> list[History]:
    """The history cut into parts: sessions of one number together."""
    return [
        replace(
            made,
            timelines=[each for each in made.timelines if groups.get(each.session, 0) == number],
            always_loaded=[each for each in made.always_loaded if groups.get(each.session, 0) == number],
            totals=[each for each in made.totals if groups.get(each.session, 0) == number],
        )
        for number in range(3)
    ]


def assert_the_same(made: History, groups: dict[str, int], context: Context) -> None:
    known = around(context.now)
    whole = audit(made, context, around=known)
    looking = looking_of(context, known)
    parts = [unpack(pack(part_of(each, looking))) for each in by_session(made, groups)]
    for ordered in (parts, parts[::-1]):
        found = summed(ordered, context, known, list)
        for field in fields(found):
            if field.name not in {"days", "replies", "found"}:
                assert getattr(found, field.name) == getattr(whole, field.name), field.name
        assert [asked(each) for each in found.found.ranked] == [asked(each) for each in whole.found.ranked]
        assert found.found.faults == whole.found.faults == ()


def asked(ranked):
    """What a finding says, whatever names its claims have."""
    return replace(ranked.finding, claimed=()), ranked.in_period, ranked.per_month


GROUPS = st.fixed_dictionaries({name: st.integers(0, 2) for name in ("s", "t", "s0", "s1", "s2", "s-one", "s-two")})
CHOICES = st.sampled_from([
    Choice(), Choice(), Choice(since=START - 3 * DAY), Choice(model=HAIKU), Choice(session="s"), Choice(project="p"),
])  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(random_histories.histories(), GROUPS, CHOICES)
def test_any_parts_make_the_same_audit(made, groups, choice):
    # A file lies in one part with all that it holds, and so does an agent with what its parent knows of it.
    unmixed = replace(made, files=[], timelines=[replace(each, parent_use=None) for each in made.timelines])
    assert_the_same(unmixed, groups, replace(CONTEXT, choice=choice))


@settings(deadline=None, max_examples=60)
@given(scenes.histories(), GROUPS)
def test_any_tool_loops_make_the_same_audit(made, groups):
    priced = [replace(each, events=[*map(_with_a_price, each.events)]) for each in made.timelines]
    assert_the_same(replace(made, timelines=priced), groups, CONTEXT)


def _with_a_price(event):
    return _with_model(event) if hasattr(event, "metered") else event


def _with_model(event):
    name = {"m": "claude-opus-5-5", "n": "claude-sonnet-5-5"}.get(event.metered.model, event.metered.model)
    metered = replace(event.metered, model=name)
    return msgspec.structs.replace(event, metered=metered)


def test_totals_of_the_client_are_reconciled_across_parts():
    place = Place(file="f", line=1)
    totals = [ClientTotal(session=name, place=place, usd=usd) for name, usd in (("s-one", "2"), ("s-two", "1"))]
    assert_the_same(replace(sample(), totals=totals), {"s-two": 1}, CONTEXT)


def test_a_part_that_failed_says_so():
    part = part_of(sample(), looking_of(replace(CONTEXT, advisors=(Broken, TwoFindings)), around(START)))
    assert part.faults == {"broken": "RuntimeError: boom"}
    assert list(part.facts) == ["two"]


def test_a_part_of_nothing():
    part = part_of(history(), looking_of(CONTEXT, around(START)))
    assert (part.replies, part.spent, part.first_at, part.last_at) == (0, 0, 0, 0)
    with pytest.raises(msgspec.ValidationError):
        unpack(b"\x90")


def test_own_prices_are_used():
    made = history(line(reply("m", usage=(1000, 0, 0, 0, 0), model="mine")))
    context = replace(CONTEXT, overrides={"mine": {"input": "1.00", "output": "1.00"}})
    assert part_of(made, looking_of(context, around(START))).spent == 1000 * 10**6
    assert isinstance(part_of(made, looking_of(CONTEXT, around(START))), Part)
    assert [each.bill.total for each in audit(made, context).billed] == [1000 * 10**6]
