import pytest

from audit.histories import HAIKU, OPUS, START, history, line, reply
from underspend.audit import reconcile as module
from underspend.audit.bills import price
from underspend.audit.rates import CatalogueRates
from underspend.audit.reconcile import cut_replies, reconcile
from underspend.core.history import ClientTotal, Mark, MarkKind, Place

PLACE = Place(file="f", line=1)


def told(usd, *, session="s-one", covers=0, **tokens):
    by = {OPUS: tokens} if tokens else {}
    return ClientTotal(session=session, place=PLACE, usd=usd, by_model=by, covers=covers)


def reconciled(*lines, totals):
    made = history(*lines, totals=list(totals))
    return reconcile(made, price(made), CatalogueRates(made))


def causes(found):
    return {each.what: each.amount for each in found.causes}


ONE = reply("m", usage=(1000, 0, 0, 0, 0))  # $0.004


def test_equal_totals_have_no_cause():
    (found,) = reconciled(line(ONE), totals=[told("0.004", inputTokens=1000)])
    assert (found.client, found.transcripts, found.causes) == (4 * 10**9, 4 * 10**9, ())


def test_calls_that_left_no_line_are_compactions_where_there_were_some():
    mark = Mark(at=START, place=PLACE, kind=MarkKind.COMPACTION)
    (found,) = reconciled(line(ONE, mark), totals=[told("0.006", inputTokens=1500)])
    assert causes(found) == {module.COMPACTION: 2 * 10**9}
    assert found.causes[0].calls == 1
    assert found.causes[0].tokens["input_tokens"] == 500


def test_and_auxiliary_calls_where_there_were_none():
    (found,) = reconciled(line(ONE), totals=[told("0.006", inputTokens=1500)])
    assert causes(found) == {module.AUXILIARY: 2 * 10**9}


def test_the_last_total_of_a_session_counts():
    (found,) = reconciled(line(ONE), totals=[told("0.001", inputTokens=1), told("0.004", inputTokens=1000)])
    assert found.client == 4 * 10**9


def test_a_reply_of_another_model_is_priced_by_the_one_asked_for():
    one = reply("m", usage=(1000, 0, 0, 0, 0), model=HAIKU, asked_model=OPUS)
    (found,) = reconciled(line(one), totals=[told("0.004", inputTokens=1000)])
    assert causes(found) == {module.ASKED_MODEL: 4 * 10**9 - 10**8}


def test_a_fork_inherits_the_total_of_its_parent():
    parent = told("0.01", session="parent", inputTokens=2500)
    child = told("0.014", inputTokens=3500)
    found = {each.session: each for each in reconciled(line(ONE), totals=[parent, child])}
    assert causes(found["s-one"]) == {module.EARLIER: 10**10}


def test_replies_after_the_last_total_are_not_in_it():
    later = reply("n", START + 9, (1000, 0, 0, 0, 0))
    (found,) = reconciled(line(ONE, later), totals=[told("0.004", covers=START + 1, inputTokens=1000)])
    assert causes(found) == {module.LATER: -4 * 10**9}


def test_what_tokens_do_not_explain_is_prices():
    (found,) = reconciled(line(ONE), totals=[told("0.005", inputTokens=1000)])
    assert causes(found) == {module.PRICES: 10**9}


@pytest.mark.parametrize("usd", ["nothing", "", "NaN", "1e99"])
def test_a_total_that_is_no_amount_is_left_out(usd):
    assert reconciled(line(ONE), totals=[told(usd)]) == []


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
