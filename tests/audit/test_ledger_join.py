import pytest

from audit.histories import history, line, reply
from reports.ledger_rows import add_call, new_ledger
from underspend.audit.bills import price
from underspend.audit.ledger_join import TRANSCRIPT, join


@pytest.fixture
def ledger(tmp_path):
    engine = new_ledger(tmp_path)
    yield engine
    engine.dispose()


def test_a_reply_is_found_by_its_message_id_else_by_its_request_id(ledger):
    add_call(ledger, "c1", 1, (10, 0, 0, 0, 0), message_id="m1")
    add_call(ledger, "c2", 2, (10, 0, 0, 0, 0), request_id="r2", billing="oauth")
    add_call(ledger, "c3", 3, message_id="elsewhere")
    made = line(
        reply("m1", usage=(10, 0, 0, 0, 0)),
        reply("m2", usage=(10, 0, 0, 0, 0), request_id="r2"),
        reply("m3", request_id="r3"),
        reply("m4"),
    )
    found = join(ledger, price(history(made)))
    assert {name: seen.call_id for name, seen in found.seen.items()} == {"m1": "c1", "m2": "c2"}
    assert (found.ours, found.gateway) == (2 * 40_000_000, 2 * 30_000_000)
    assert found.billing == {"api_key", "oauth"}


def test_rows_from_transcripts_are_not_the_gateways(ledger):
    add_call(ledger, "t1", 1, message_id="m1", endpoint=TRANSCRIPT)
    assert join(ledger, price(history(line(reply("m1"))))).seen == {}


@pytest.mark.parametrize("others", [0, 1400])
def test_many_replies_are_asked_for_in_parts(ledger, others):
    add_call(ledger, "c1", 1, message_id="m1200")
    for number in range(others):
        add_call(ledger, f"o{number}", 1, message_id=f"o{number}")
    made = line(*(reply(f"m{n}") for n in range(1300)))
    assert set(join(ledger, price(history(made))).seen) == {"m1200"}
