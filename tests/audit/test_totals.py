from hypothesis import given
from hypothesis import strategies as st

from audit.histories import history, line, reply, sample
from underspend.audit.bills import price
from underspend.audit.totals import EXTRA, Totals, counts_of, merged, total

counts = st.tuples(*[st.integers(0, 10**6)] * 5)


def test_totals_of_the_sample():
    found = total(price(sample()))
    assert (found.requests, found.nested, found.unpriced, found.web_searches) == (6, 1, 1, 2)
    assert found.output_estimated == 300
    assert found.unseen == 300 * 20_000_000
    assert found.cost == sum(found.lanes.values())
    assert found.prompt == 100 + 10_000 + 500 + 10_100 + 900 + 10_600 + 4000 + 2010 + 2000


def test_a_search_is_an_extra():
    found = total(price(history(line(reply("m", usage=(1, 0, 0, 0, 0), web_searches=3)))))
    assert found.lanes[EXTRA] == 3 * 10**10


def test_no_prompt_has_no_hit_share():
    assert Totals().hit_share is None


@given(st.lists(counts, max_size=8), st.integers(0, 8))
def test_two_parts_merged_are_the_whole(usages, cut):
    billed = price(history(line(*(reply(f"m{n}", usage=each) for n, each in enumerate(usages)))))
    first, second = total(billed[:cut]), total(billed[cut:])
    assert merged([first, second]) == total(billed)


@given(st.lists(st.tuples(counts, st.booleans(), st.integers(0, 2), st.integers(0, 50)), max_size=8))
def test_replies_counted_together_are_as_one_by_one(rows):
    billed = price(
        history(
            line(
                *(
                    reply(f"m{n}", usage=usage, nested=nested, web_searches=searches, unseen_output=unseen)
                    for n, (usage, nested, searches, unseen) in enumerate(rows)
                )
            )
        )
    )
    one_by_one = Totals()
    for each in billed:
        one_by_one.add(each)
    assert Totals.of(counts_of(billed)) == one_by_one
    assert sum(one_by_one.lanes.values()) == one_by_one.cost == sum(each.bill.total for each in billed)
