from dataclasses import fields, replace
from zoneinfo import ZoneInfo

import pytest

from audit.histories import DAY, HAIKU, START, history, line, reply, sample
from reports.audit.reports import Broken, TwoFindings
from underspend.advisors import BUILTIN
from underspend.audit.plan import Plan
from underspend.audit.questions import NO_QUESTIONS
from underspend.audit.whole import Choice, Context, audit, pace_of
from underspend.core.history import ClientTotal, Place

UTC = ZoneInfo("UTC")
CONTEXT = Context(now=START + 2 * DAY, zone=UTC)


def made(choice=None, source=None):
    return audit(source or sample(), replace(CONTEXT, choice=choice or Choice()))


def test_the_whole_audit_of_the_sample():
    found = made()
    assert found.totals.requests == 6
    assert (found.pace.active, found.pace.span) == (2, 2)
    assert (found.first_at, found.last_at) == (START, START + DAY + 3_600_000_000)
    assert found.day == "2026-11-20"
    assert found.paying.plan is Plan.UNKNOWN
    assert {each.reply.message_id for each in found.billed} == {"m1", "m2", "m3", "a1", "h1", "h2"}
    assert set(found.groups) >= {"by_day", "by_session", "by_project", "by_model", "by_agent", "by_category"}


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (Choice(since=START + DAY), ["h1", "h2"]),
        (Choice(until=START + 60_000_000), ["m1"]),
        (Choice(project="blog"), ["h1", "h2"]),
        (Choice(project="/home/dev/shop"), ["m1", "m2", "m3"]),
        (Choice(model=HAIKU), ["h1"]),
        (Choice(session="s-o"), ["m1", "a1", "m2", "m3"]),
        (Choice(session="nothing"), []),
    ],
)
def test_what_was_chosen(choice, names):
    found = made(choice)
    assert [each.reply.message_id for each in found.billed] == names
    assert found.totals.requests == len(names)


def test_an_empty_history_has_an_empty_audit():
    found = made(source=history())
    assert (found.totals.cost, found.first_at, found.last_at, found.day, found.trend) == (0, 0, 0, None, None)


def test_totals_of_the_client_are_held_against_whole_sessions_alone():
    place = Place(file="f", line=1)
    source = history(line(reply("m")), totals=[ClientTotal(session="s-one", place=place, usd="0")])
    assert [each.session for each in made(source=source).reconciled] == ["s-one"]
    assert made(Choice(model=HAIKU), source).reconciled == []
    assert made(Choice(session="s-two"), source).reconciled == []


def test_days_without_replies_are_in_the_span():
    assert (pace_of(["2026-11-20", "2026-11-29"]).span, pace_of(["2026-11-20", "2026-11-29"]).active) == (10, 2)
    assert pace_of([]).active == 0


def asked(found):
    """What is found, but for what fetches the replies."""
    return {field.name: getattr(found, field.name) for field in fields(found) if field.name not in {"days", "replies"}}


def test_an_advisor_that_fails_costs_only_its_own_findings():
    found = audit(sample(), replace(CONTEXT, advisors=(Broken, TwoFindings, BadSum))).found
    assert [each.finding.id for each in found.ranked] == ["two/gap", "two/due"]
    assert [(each.advisor, each.problem) for each in found.faults] == [
        ("broken", "RuntimeError: boom"),
        ("bad-sum", "ValueError: no"),
    ]
    assert found.in_period == 10**10


class BadSum(TwoFindings):
    name = "bad-sum"

    def sum_up(self, facts, around):
        raise ValueError("no")


def test_a_short_audit_has_the_bill_and_the_findings_alone():
    context = replace(CONTEXT, advisors=BUILTIN)
    short, long = audit(sample(), replace(context, short=True)), audit(sample(), context)
    assert (short.totals, short.found, short.cut, short.pace) == (long.totals, long.found, long.cut, long.pace)
    assert {**short.groups, "by_category": long.groups["by_category"]} == long.groups
    assert (short.questions, short.trend, short.blocks, short.timeline) == (NO_QUESTIONS, None, (), ())
