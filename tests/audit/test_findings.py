from hypothesis import given
from hypothesis import strategies as st

from audit.histories import START, history, line, reply
from underspend.audit import findings
from underspend.audit.bills import by_message, price
from underspend.audit.findings import Pace, claimed
from underspend.core.advisor import Confidence, Finding, Seen, Urgency
from underspend.core.evidence import Evidence
from underspend.core.usage import Lane

PACE = Pace(active=10, span=30)
HISTORY = history(line(*(reply(f"m{n}", START + n, (100, 0, 0, 0, 10)) for n in range(3))))
BILLS = by_message(price(HISTORY))
SPENT = sum(bill.total for bill in BILLS.values())
INPUT = 100 * 4_000_000


def finding(name, *claims, urgency=Urgency.FIX_NOW, amount=None):
    """A finding and what it claims of the input of some messages."""
    made = Finding(
        id=name,
        urgency=urgency,
        title=name,
        amount=sum(dollars for _, dollars in claims) if amount is None else amount,
        confidence=Confidence.HIGH,
        evidence=Evidence.BILLED,
        why="because",
        claimed=(name,),
    )
    return made, [(message, Lane.INPUT, dollars) for message, dollars in claims]


def rank(found, *, only=None, parts=("m0", "m1", "m2", "m3", "nobody")):
    """Ranked, where each message is a part of its own."""
    seen = [
        [Seen(None, {one.id: [claim for claim in claims if claim[0] == message]}) for one, claims in found]
        for message in parts
    ]
    return findings.rank([one for one, _ in found], [claimed(each, BILLS, only=only) for each in seen], SPENT, PACE)


def test_a_dollar_goes_to_the_first_that_claims_it():
    ranked = rank([finding("small", ("m0", INPUT)), finding("big", ("m0", INPUT), ("m1", INPUT))])
    assert [(each.finding.id, each.in_period, each.overlap) for each in ranked] == [
        ("big", 2 * INPUT, 0),
        ("small", 0, INPUT),
    ]


def test_claims_that_fit_together_are_both_granted():
    ranked = rank([finding("a", ("m0", INPUT // 2)), finding("b", ("m0", INPUT // 2))])
    assert [each.in_period for each in ranked] == [INPUT // 2] * 2


def test_what_asks_for_a_fix_comes_before_larger_habits():
    ranked = rank(
        [
            finding("habit", ("m0", INPUT), urgency=Urgency.HABIT),
            finding("fyi", urgency=Urgency.FYI),
            finding("fix", ("m1", 5)),
        ]
    )
    assert [each.finding.id for each in ranked] == ["fix", "habit", "fyi"]


def test_a_claim_is_granted_only_what_the_lane_cost_and_the_rest_only_where_it_is_unclaimed():
    ranked = rank([finding("a", ("m0", 2 * INPUT)), finding("b", ("m0", INPUT))])
    assert [each.in_period for each in ranked] == [INPUT, 0]
    strangers = rank([finding("c", ("nobody", 7), amount=7)])
    assert strangers[0].in_period == 0


def test_dollars_without_a_place_count_as_far_as_any_are_left():
    assert rank([finding("loose", amount=10 * SPENT)])[0].in_period == SPENT


def test_claims_beyond_the_amount_are_cut_in_proportion():
    """Half of each claim: half of m0 is left for the next."""
    ranked = rank([finding("half", ("m0", INPUT), ("m1", INPUT), amount=INPUT), finding("next", ("m0", INPUT - 1))])
    assert [each.in_period for each in ranked] == [INPUT, INPUT // 2]


def test_of_several_cases_only_one_is_ever_asked_for():
    seen = [Seen(None, {f"a@{case}": [("m0", Lane.INPUT, INPUT)] for case in range(3)})]
    assert claimed(seen, BILLS).contested == []
    twice = [*seen, Seen(None, {"b": [("m0", Lane.INPUT, 1)]})]
    assert len(claimed(twice, BILLS).contested) == 1


claims = st.lists(
    st.tuples(st.sampled_from(["m0", "m1", "m2", "m3"]), st.integers(0, 2 * INPUT)),
    max_size=6,
)
made = st.lists(st.tuples(claims, st.sampled_from(list(Urgency)), st.none() | st.integers(0, 10**10)), max_size=6)


@given(made)
def test_findings_never_come_to_more_than_was_spent(made):
    found = [finding(str(n), *each, urgency=urgency, amount=amount) for n, (each, urgency, amount) in enumerate(made)]
    ranked = rank(found)
    assert sum(each.in_period for each in ranked) <= SPENT
    assert all(0 <= each.in_period <= each.finding.amount for each in ranked)
    assert sorted(each.finding.id for each in ranked) == sorted(one.id for one, _ in found)


@given(made)
def test_it_is_the_same_in_one_part_as_in_many(made):
    found = [finding(str(n), *each, urgency=urgency, amount=amount) for n, (each, urgency, amount) in enumerate(made)]
    whole = [Seen(None, {one.id: claims}) for one, claims in found]
    ranked = findings.rank([one for one, _ in found], [claimed(whole, BILLS)], SPENT, PACE)
    assert [(each.finding.id, each.in_period) for each in ranked] == [
        (each.finding.id, each.in_period) for each in rank(found)
    ]


def test_only_the_chosen_replies_count():
    one = finding("one", *((name, 7) for name in BILLS))
    assert [each.in_period for each in rank([one], only={"m1"}.__contains__)] == [7]
    none = finding("none", urgency=Urgency.FYI)
    assert [each.finding.id for each in rank([one, none], only=set().__contains__)] == ["none"]


def test_a_month_is_thirty_days_of_the_period_or_the_working_days_of_a_short_one():
    assert Pace(active=30, span=60).per_month(100) == 50
    assert Pace(active=30, span=60).month_days == 15
    assert Pace(active=2, span=2).per_month(100) == 1100
    assert Pace(active=0, span=0).per_month(100) == 0


def most(claims):
    """What claims on one place come to at most, with the dearest case of each finding."""
    sums = {name: sum(amount for own, amount in claims if own == name) for name, _ in claims}
    whole = {name.partition("@")[0] for name in sums}
    return sum(max(amount for name, amount in sums.items() if name.partition("@")[0] == each) for each in whole)


@given(st.dictionaries(st.sampled_from(["a", "b", "c@1", "c@2", "c@3", "d@1"]), claims))
def test_a_place_is_contested_where_the_claims_on_it_can_come_to_more_than_it_cost(made):
    named = {name: [(message, Lane.INPUT, amount) for message, amount in own] for name, own in made.items()}
    found = claimed([Seen(None, named)], BILLS)
    places = {
        message: [(name, amount) for name, own in made.items() for other, amount in own if other == message]
        for message in {message for own in made.values() for message, _ in own}
    }
    costs = {message: BILLS[message].lane(Lane.INPUT) if message in BILLS else 0 for message in places}
    contested = [(costs[message], own) for message, own in places.items() if most(own) > costs[message]]
    assert sorted(found.contested) == sorted(contested)
    for name, own in made.items():
        left = sum(amount for _, there in contested for other, amount in there if other == name)
        assert found.free.get(name, 0) == sum(amount for _, amount in own) - left
