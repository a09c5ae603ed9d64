from reports.ledger_rows import add_call, us
from underspend.reports.session import session_calls

START = us("2026-11-20T10:00:00+00:00")
MINUTE = 60_000_000


def test_a_cache_gone_cold_is_found_with_its_gap_and_cost(ledger):
    add_call(ledger, "a", START, (10, 20_000, 0, 0, 100))
    add_call(ledger, "b", START + MINUTE, (10, 500, 0, 20_000, 100))
    add_call(ledger, "c", START + 10 * MINUTE, (10, 21_000, 0, 0, 100))
    found = session_calls(ledger, "s-one")
    assert [call.rewritten for call in found.calls] == [0, 0, 20_500]
    assert found.calls[2].gap_us == 9 * MINUTE
    assert found.calls[2].rewrite_paid == 20_500 * 3_750_000
    assert found.total.calls == 3


def test_agents_and_shorter_prompts_have_caches_of_their_own(ledger):
    add_call(ledger, "a", START, (10, 20_000, 0, 0, 100))
    add_call(ledger, "b", START + 1, (10, 30_000, 0, 0, 100), agent="a1", role="subagent")
    add_call(ledger, "c", START + 2, (10, 9_000, 0, 0, 100))
    assert [call.rewritten for call in session_calls(ledger, "s-one").calls] == [0, 0, 0]


def test_only_the_last_calls_and_how_many_came_before(ledger):
    for n in range(5):
        add_call(ledger, f"c{n}", START + n, (1, 0, 0, 0, 1))
    found = session_calls(ledger, "s-one", limit=2)
    assert [call.entry.id for call in found.calls] == ["c3", "c4"]
    assert (found.more, found.total.calls) == (3, 5)


def test_an_unknown_session_has_no_calls(ledger):
    assert session_calls(ledger, "nobody").calls == ()
