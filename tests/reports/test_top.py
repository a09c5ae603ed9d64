from reports.ledger_rows import add_call
from underspend.reports.filters import Filter
from underspend.reports.top import costliest_calls, costliest_sessions


def seed(ledger):
    add_call(ledger, "a", 1, (1000, 0, 0, 0, 0))
    add_call(ledger, "b", 5, (3000, 0, 0, 0, 0), model_served="claude-opus-5")
    add_call(ledger, "c", 3, (2000, 0, 0, 0, 0), session="s-two", project="blog")
    add_call(ledger, "d", 4, (9000, 0, 0, 0, 0), session=None)


def test_the_dearest_first(ledger):
    seed(ledger)
    assert [call.id for call in costliest_calls(ledger, limit=2)] == ["d", "b"]
    assert [call.id for call in costliest_calls(ledger, where=Filter(project="blog"))] == ["c"]


def test_sessions_with_their_models_and_times(ledger):
    seed(ledger)
    first, second = costliest_sessions(ledger)
    assert (first.session, first.project, first.first_at, first.last_at) == ("s-one", "shop", 1, 5)
    assert first.models == ("claude-opus-5", "claude-sonnet-5")
    assert (second.session, second.sums.paid) == ("s-two", 2000 * 3_000_000)


def test_none(ledger):
    assert costliest_sessions(ledger) == ()
