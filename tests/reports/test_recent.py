from reports.ledger_rows import add_call
from underspend.reports.recent import recent, settled_after


def test_the_last_to_begin_first(ledger):
    for n, name in enumerate(("a", "b", "c")):
        add_call(ledger, name, n)
    assert [call.id for call in recent(ledger, limit=2)] == ["c", "b"]


def test_what_has_ended_since_and_was_not_seen(ledger):
    for name, ended in (("a", 10), ("b", 20), ("c", 20), ("d", 30)):
        add_call(ledger, name, 1, ended_at=ended)
    assert [call.id for call in settled_after(ledger, at=20, seen=frozenset({"b"}))] == ["c", "d"]
