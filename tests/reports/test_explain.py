import pytest
from sqlalchemy import insert

from reports.ledger_rows import add_call, add_decision, add_prompt
from underspend.core.errors import NotFoundError
from underspend.core.usage import Lane
from underspend.reports.explain import explain
from underspend.stores.schema import effects

AT = "2026-11-20T10:00:00+00:00"
PIECES = [("tools", "tool", "Bash", 3000), ("system", "text", "system 1", 2000), ("messages", "text", "user", 500)]


@pytest.fixture
def ledger(ledger):
    add_call(ledger, "aaaa1111", AT, (500, 2000, 0, 3000, 300), message_id="msg_1", request_id="req_1")
    add_call(ledger, "aaaa2222", AT, notes='["one", "two"]')
    add_prompt(ledger, "aaaa1111", PIECES, '{"1": "5m"}')
    add_decision(ledger, "aaaa1111")
    return ledger


@pytest.mark.parametrize("name", ["aaaa1111", "aaaa1", "msg_1", "req_1"])
def test_a_call_is_found_by_each_of_its_names(ledger, name):
    assert explain(ledger, name).entry.id == "aaaa1111"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("aaaa", "No call aaaa. Several calls begin so: give more characters."),
        ("zzzz", "No call zzzz. See `underspend top` or `underspend tail` for ids."),
        ("a", "Give at least 4 characters"),
        ("aaa%", "No call aaa%"),
    ],
)
def test_what_is_not_found_is_said_in_one_line(ledger, name, says):
    with pytest.raises(NotFoundError) as failed:
        explain(ledger, name)
    assert says in str(failed.value)


def test_prompt_bill_and_decisions(ledger):
    found = explain(ledger, "aaaa1111")
    assert [(b.piece.label, b.lane, b.tokens, b.piece.breakpoint) for b in found.anatomy.blocks] == [
        ("Bash", Lane.CACHE_READ, 3000, None),
        ("system 1", Lane.CACHE_WRITE_5M, 2000, "5m"),
        ("user", Lane.INPUT, 500, None),
    ]
    assert sum(line.amount for line in found.charges) == found.entry.paid
    assert [(each.strategy, each.applied) for each in found.choices] == [("route", True)]
    assert found.effects == ()
    assert found.evidence == "From the usage the provider reported in full, at the dated price list."


def test_a_call_without_a_prompt_and_with_notes(ledger):
    found = explain(ledger, "aaaa2222")
    assert found.anatomy is None
    assert found.notes == ("one", "two")


def test_how_we_know_says_what_is_missing(ledger):
    add_call(ledger, "bbbb1111", AT, evidence="estimated", unpriced="m", billing="oauth", notes="plain text")
    found = explain(ledger, "bbbb1111")
    assert found.evidence == (
        "The reply's end was not seen: from what had been reported until then and local counts. "
        "No price is known for m, so its part is missing. "
        "Made with a subscription: this is what API prices would have charged."
    )
    assert found.notes == ("plain text",)


def test_an_open_call(ledger):
    add_call(ledger, "cccc1111", AT, state="open", evidence=None)
    assert explain(ledger, "cccc1111").evidence == "Still open: nothing is known of its cost yet."


def test_blocks_no_longer_kept_are_said(ledger):
    add_prompt(ledger, "aaaa2222", [("tools", "tool", "Gone", 10)])
    with ledger.begin() as connection:
        connection.exec_driver_sql("DELETE FROM blocks WHERE label = 'Gone'")
    assert explain(ledger, "aaaa2222").anatomy.blocks[0].piece.label == "(no longer kept)"


def test_effects_the_largest_first(ledger):
    add_call(ledger, "a", "2026-11-20T10:00:00+00:00", (10, 0, 0, 0, 1))
    with ledger.begin() as connection:
        connection.execute(insert(effects).values(call_id="a", strategy="cold_prune", saved_pico=-7))
        connection.execute(insert(effects).values(call_id="a", strategy="dedupe_reads", saved_pico=30))
    assert explain(ledger, "a").effects == (("dedupe_reads", 30), ("cold_prune", -7))
