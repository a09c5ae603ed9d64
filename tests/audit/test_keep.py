from pathlib import Path

import pytest
from sqlalchemy import func, select

from audit.histories import history, sample
from reports.ledger_rows import add_call, new_ledger
from underspend.audit.bills import price
from underspend.audit.days import Days
from underspend.audit.groups import counted, grouped
from underspend.audit.keep import forget, keep, missing, recall, row_id
from underspend.audit.totals import total
from underspend.reports.spend import By, spend
from underspend.stores.schema import calls, sessions

ROOT = Path("/t")


@pytest.fixture
def ledger(tmp_path):
    engine = new_ledger(tmp_path)
    yield engine
    engine.dispose()


def count(engine):
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(calls)).scalar_one()


def test_keeping_again_changes_nothing(ledger):
    billed = price(sample())
    assert (keep(ledger, billed).added, keep(ledger, billed).added, count(ledger)) == (6, 0, 6)


def test_a_reply_the_gateway_recorded_is_not_kept(ledger):
    add_call(ledger, "c1", 1, message_id="m1")
    assert keep(ledger, price(sample())).added == 5


def test_a_reply_the_gateway_records_later_is_taken_back(ledger):
    keep(ledger, price(sample()))
    add_call(ledger, "c1", 1, message_id="m1")
    kept = keep(ledger, price(sample()))
    assert (kept.added, kept.removed, kept.total, count(ledger)) == (0, 1, 5, 6)


def test_spend_over_kept_rows_is_the_audits_own_total(ledger):
    billed = price(sample())
    keep(ledger, billed, billing="oauth")
    report = spend(ledger, by=By.SESSION)
    assert report.total.paid == total(billed).cost
    assert report.total.saved == 0
    assert {row.key for row in report.rows} == {"s-one", "s-two"}


def test_the_session_and_its_folder_are_kept(ledger):
    keep(ledger, price(sample()))
    with ledger.connect() as connection:
        rows = connection.execute(select(sessions).order_by(sessions.c.session)).all()
    assert [tuple(row) for row in rows] == [("s-one", "shop", "/home/dev/shop"), ("s-two", "blog", "")]


def test_replies_whose_transcripts_are_gone_are_recalled(ledger):
    keep(ledger, price(sample()), roots=[ROOT])
    gone = missing(ledger, is_known={"m1"}.__contains__, roots=[ROOT])
    assert gone == {row_id(each.reply.message_id): each.reply.at for each in price(sample())[1:]}
    found = recall(ledger, list(gone))
    again = price(history(*found))
    assert {each.reply.message_id for each in again} == {"m2", "m3", "a1", "h1", "h2"}
    kept = [each for each in price(sample()) if each.reply.message_id != "m1"]
    assert total(again).cost == total(kept).cost
    groups, before = grouped([counted(again, Days())]), grouped([counted(kept, Days())])
    assert {name: each.cost for name, each in groups["by_agent"].items()} == {
        name: each.cost for name, each in before["by_agent"].items()
    }


def test_replies_of_another_folder_are_not_missing(ledger):
    keep(ledger, price(sample()), roots=[ROOT])
    assert missing(ledger, is_known=set().__contains__, roots=[Path("/u")]) == {}
    assert recall(ledger, []) == []


def test_forgetting_leaves_the_gateways_rows(ledger):
    add_call(ledger, "c1", 1)
    keep(ledger, price(sample()))
    assert (forget(ledger), count(ledger)) == (6, 1)


def test_ids_fit_and_differ():
    assert len({row_id(f"m{n}") for n in range(1000)}) == 1000
    assert len(row_id("m")) <= 32
