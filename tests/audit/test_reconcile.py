import pytest

from audit.histories import HAIKU, OPUS, START, history, line, reply
from underspend.audit import reconcile as module
from underspend.audit.bills import price
from underspend.audit.rates import CatalogueRates
from underspend.audit.reconcile import all_cut, cut_replies, reconciled
from underspend.audit.reconcile import told as told_of
from underspend.core.history import ClientTotal, Mark, MarkKind, Place

PLACE = Place(file="f", line=1)


def told(usd, *, session="s-one", covers=0, **tokens):
    by = {OPUS: tokens} if tokens else {}
    return ClientTotal(session=session, place=PLACE, usd=usd, by_model=by, covers=covers)


def of(*lines, totals):
    """As parts of a history: one has the timelines, each total of another session is one of its own."""
    own = history(*lines, totals=[each for each in totals if each.session == "s-one"])
    parts = [own, *(history(totals=[each]) for each in totals if each.session != "s-one")]
    return reconciled([told_of(made, price(made), CatalogueRates(made)) for made in parts])


def causes(found):
    return {each.what: each.amount for each in found.causes}


ONE = reply("m", usage=(1000, 0, 0, 0, 0))  # $0.004


def test_equal_totals_have_no_cause():
    (found,) = of(line(ONE), totals=[told("0.004", inputTokens=1000)])
    assert (found.client, found.transcripts, found.causes) == (4 * 10**9, 4 * 10**9, ())


def test_calls_that_left_no_line_are_compactions_where_there_were_some():
    mark = Mark(at=START, place=PLACE, kind=MarkKind.COMPACTION)
    (found,) = of(line(ONE, mark), totals=[told("0.006", inputTokens=1500)])
    assert causes(found) == {module.COMPACTION: 2 * 10**9}
    assert found.causes[0].calls == 1
    assert found.causes[0].tokens["input_tokens"] == 500


def test_and_auxiliary_calls_where_there_were_none():
    (found,) = of(line(ONE), totals=[told("0.006", inputTokens=1500)])
    assert causes(found) == {module.AUXILIARY: 2 * 10**9}


def test_the_last_total_of_a_session_counts():
    (found,) = of(line(ONE), totals=[told("0.001", inputTokens=1), told("0.004", inputTokens=1000)])
    assert found.client == 4 * 10**9


def test_a_reply_of_another_model_is_priced_by_the_one_asked_for():
    one = reply("m", usage=(1000, 0, 0, 0, 0), model=HAIKU, asked_model=OPUS)
    (found,) = of(line(one), totals=[told("0.004", inputTokens=1000)])
    assert causes(found) == {module.ASKED_MODEL: 4 * 10**9 - 10**8}


def test_a_fork_inherits_the_total_of_its_parent():
    parent = told("0.01", session="parent", inputTokens=2500)
    child = told("0.014", inputTokens=3500)
    found = {each.session: each for each in of(line(ONE), totals=[parent, child])}
    assert causes(found["s-one"]) == {module.EARLIER: 10**10}


def test_replies_after_the_last_total_are_not_in_it():
    later = reply("n", START + 9, (1000, 0, 0, 0, 0))
    (found,) = of(line(ONE, later), totals=[told("0.004", covers=START + 1, inputTokens=1000)])
    assert causes(found) == {module.LATER: -4 * 10**9}


def test_what_tokens_do_not_explain_is_prices():
    (found,) = of(line(ONE), totals=[told("0.005", inputTokens=1000)])
    assert causes(found) == {module.PRICES: 10**9}


@pytest.mark.parametrize("usd", ["nothing", "", "NaN", "1e99"])
def test_a_total_that_is_no_amount_is_left_out(usd):
    assert of(line(ONE), totals=[told(usd)]) == []


def test_a_cut_reply_is_known_by_what_its_retry_reads():
    made = line(reply("a", START, (0, 1000, 0, 0, 5)), reply("b", START + 1, (0, 0, 0, 1200, 7)))
    found = cut_replies([made], CatalogueRates(history(made)))
    assert (found.calls, found.beyond) == (1, True)
    assert found.amount == 1000 * 200_000 + 200 * 5_000_000
    assert found.at_most == found.amount + 7 * 20_000_000


@pytest.mark.parametrize(
    "then",
    [
        reply("b", START + 1, (0, 50, 0, 1000, 7)),
        reply("b", START + 1, (0, 50, 0, 1200, 7)),
        reply("b", START + 1, (0, 0, 0, 1200, 7), model=HAIKU),
    ],
)
def test_a_plain_next_reply_is_no_sign_of_a_cut(then):
    made = line(reply("a", START, (0, 1000, 0, 0, 5)), then)
    assert cut_replies([made], CatalogueRates(history(made))) is None


def test_after_a_compaction_another_prefix_is_read():
    mark = Mark(at=START, place=PLACE, kind=MarkKind.COMPACTION)
    made = line(reply("a", START, (0, 1000, 0, 0, 5)), mark, reply("b", START + 1, (0, 0, 0, 1200, 7)))
    assert cut_replies([made], CatalogueRates(history(made))) is None


def test_cut_replies_of_several_parts_are_summed_up():
    made = line(reply("a", START, (0, 1000, 0, 0, 5)), reply("b", START + 1, (0, 0, 0, 1200, 7)))
    one = cut_replies([made], CatalogueRates(history(made)))
    both = all_cut([one, None, one])
    assert (both.calls, both.amount, both.at_most) == (2, 2 * one.amount, 2 * one.at_most)
    assert both.tokens == {name: 2 * count for name, count in one.tokens.items()}
    assert all_cut([None]) is None
