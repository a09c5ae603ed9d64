from reports.ledger_rows import add_call, us
from underspend.reports.filters import Filter
from underspend.reports.overview import overview, window_of
from underspend.reports.periods import Step, zone

NOW = us("2026-11-20T16:40:00+00:00")
UTC = zone("UTC")


def test_a_new_ledger_is_empty(ledger):
    found = overview(ledger, now=NOW, tz=UTC)
    assert found.empty
    assert len(found.daily) == 30
    assert found.daily[-1][0].isoformat() == "2026-11-20"


def test_periods_compare_with_the_same_stretch_before(ledger):
    add_call(ledger, "a", "2026-11-20T09:00:00+00:00", (1000, 0, 0, 0, 0))
    add_call(ledger, "b", "2026-11-19T09:00:00+00:00", (2000, 0, 0, 0, 0))
    add_call(ledger, "c", "2026-11-19T20:00:00+00:00", (4000, 0, 0, 0, 0))
    add_call(ledger, "d", "2026-10-02T20:00:00+00:00", (8000, 0, 0, 0, 0))
    found = {period.step: period for period in overview(ledger, now=NOW, tz=UTC).periods}
    assert (found[Step.DAY].now.tokens.input, found[Step.DAY].before.tokens.input) == (1000, 2000)
    assert (found[Step.WEEK].now.tokens.input, found[Step.WEEK].before.tokens.input) == (7000, 0)
    assert (found[Step.MONTH].now.tokens.input, found[Step.MONTH].before.tokens.input) == (7000, 8000)


def test_a_call_of_this_microsecond_counts(ledger):
    add_call(ledger, "a", NOW, (1000, 0, 0, 0, 0))
    found = overview(ledger, now=NOW, tz=UTC)
    assert found.periods[0].now.calls == 1
    assert found.daily[-1][1].calls == 1


def test_the_filter_holds_for_everything(ledger):
    add_call(ledger, "a", "2026-11-20T09:00:00+00:00", (1000, 0, 0, 0, 0))
    add_call(ledger, "b", "2026-11-20T09:00:00+00:00", (2000, 0, 0, 0, 0), project="blog", session="s-two")
    found = overview(ledger, now=NOW, where=Filter(project="blog"), tz=UTC)
    assert found.periods[0].now.calls == 1
    assert [call.id for call in found.latest] == ["b"]
    assert [each.session for each in found.sessions] == ["s-two"]
    assert not found.empty


def test_windows():
    since, until = us("2026-11-01T00:00:00+00:00"), us("2026-11-03T00:00:00+00:00")
    assert window_of(Filter(since=since, until=until), NOW, UTC).since == since
    assert window_of(Filter(until=until), NOW, UTC).since == us("2026-10-04T00:00:00+00:00")
    backwards = window_of(Filter(since=until, until=since), NOW, UTC)
    assert backwards.since == backwards.until
