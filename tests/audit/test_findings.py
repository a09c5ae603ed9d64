from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from audit.histories import START, history, line, reply
from underspend.audit.bills import by_message, price
from underspend.audit.findings import Pace, look, rank
from underspend.audit.rates import CatalogueRates
from underspend.core.advisor import Advisor, Claim, Confidence, Finding, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.usage import Lane

PACE = Pace(active=10, span=30)
HISTORY = history(line(*(reply(f"m{n}", START + n, (100, 0, 0, 0, 10)) for n in range(3))))
BILLS = by_message(price(HISTORY))
INPUT = 100 * 4_000_000


def finding(name, *claims, urgency=Urgency.FIX_NOW, amount=None, **more):
    made = tuple(Claim(message_id=message, lane=Lane.INPUT, amount=dollars) for message, dollars in claims)
    return Finding(
        id=name,
        urgency=urgency,
        title=name,
        amount=sum(claim.amount for claim in made) if amount is None else amount,
        confidence=Confidence.HIGH,
        evidence=Evidence.BILLED,
        why="because",
        claims=made,
        **more,
    )


def test_a_dollar_goes_to_the_first_that_claims_it():
    ranked = rank([finding("small", ("m0", INPUT)), finding("big", ("m0", INPUT), ("m1", INPUT))], BILLS, PACE)
    assert [(each.finding.id, each.in_period, each.overlap) for each in ranked] == [
        ("big", 2 * INPUT, 0),
        ("small", 0, INPUT),
    ]


def test_what_asks_for_a_fix_comes_before_larger_habits():
    ranked = rank(
        [
            finding("habit", ("m0", INPUT), urgency=Urgency.HABIT),
            finding("fyi", urgency=Urgency.FYI),
            finding("fix", ("m1", 5)),
        ],
        BILLS,
        PACE,
    )
    assert [each.finding.id for each in ranked] == ["fix", "habit", "fyi"]


def test_a_claim_is_granted_only_what_the_lane_cost_and_the_rest_only_where_it_is_unclaimed():
    spent = sum(bill.total for bill in BILLS.values())
    ranked = rank([finding("a", ("m0", 2 * INPUT)), finding("b", ("m0", INPUT))], BILLS, PACE)
    assert [each.in_period for each in ranked] == [INPUT, 0]
    strangers = rank([finding("c", ("nobody", 7), amount=7)], BILLS, PACE)
    assert strangers[0].in_period == 0
    assert spent > INPUT


def test_dollars_without_a_place_count_as_far_as_any_are_left():
    spent = sum(bill.total for bill in BILLS.values())
    ranked = rank([finding("loose", amount=10 * spent)], BILLS, PACE)
    assert ranked[0].in_period == spent


claims = st.lists(
    st.tuples(st.sampled_from(["m0", "m1", "m2", "m3"]), st.integers(0, 2 * INPUT)),
    max_size=6,
)


@given(st.lists(st.tuples(claims, st.sampled_from(list(Urgency)), st.none() | st.integers(0, 10**10)), max_size=6))
def test_findings_never_come_to_more_than_was_spent(made):
    found = [finding(str(n), *each, urgency=urgency, amount=amount) for n, (each, urgency, amount) in enumerate(made)]
    ranked = rank(found, BILLS, PACE)
    assert sum(each.in_period for each in ranked) <= sum(bill.total for bill in BILLS.values())
    assert all(
        0 <= each.in_period <= max(each.finding.amount, sum(c.amount for c in each.finding.claims)) for each in ranked
    )
    assert sorted(each.finding.id for each in ranked) == sorted(each.id for each in found)


class Good(Advisor):
    name: ClassVar[str] = "good"

    def advise(self, history, around):
        yield finding("good/one", *((event.message_id, 7) for _, event in history.replies()))
        yield finding("good/none", urgency=Urgency.FYI)


class Bad(Advisor):
    name: ClassVar[str] = "bad"

    def advise(self, history, around):
        yield finding("bad/first", ("m0", INPUT))
        raise RuntimeError("boom")


def around():
    return Surroundings(now=START, bills=BILLS, rates=CatalogueRates(HISTORY))


def test_an_advisor_that_fails_costs_only_its_own_findings():
    found = look(HISTORY, around(), [Bad, Good], pace=PACE)
    assert [each.finding.id for each in found.ranked] == ["good/one", "good/none"]
    assert [(each.advisor, each.problem) for each in found.faults] == [("bad", "RuntimeError: boom")]
    assert (found.in_period, found.per_month) == (21, 21)


def test_only_the_chosen_replies_count():
    found = look(HISTORY, around(), [Good], pace=PACE, only={"m1"}.__contains__)
    assert found.in_period == 7
    assert [each.finding.id for each in look(HISTORY, around(), [Good], pace=PACE, only=set().__contains__).ranked] == [
        "good/none"
    ]


def test_a_month_is_thirty_days_of_the_period_or_the_working_days_of_a_short_one():
    assert Pace(active=30, span=60).per_month(100) == 50
    assert Pace(active=30, span=60).month_days == 15
    assert Pace(active=2, span=2).per_month(100) == 1100
    assert Pace(active=0, span=0).per_month(100) == 0
