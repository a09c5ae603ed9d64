"""What is told and what is held back, against a plain model, for any order of alerts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.alerts import HOUR, MINUTE, Alert, Decision, Kind, Quiet, Severity, Told, crossed, limited
from underspend.core.rate_limits import Over, Rate, RateLimit

T0 = 1_800_000_000_000_000


def alert(subject="s", severity=Severity.WARNING, at=T0, **more):
    return Alert(**{"kind": Kind.LOOP, "subject": subject, "severity": severity, "words": "w", "at": at, **more})


def decisions(told, alerts):
    return [told.decide(each)[0] for each in alerts]


ALERTS = st.lists(
    st.tuples(st.integers(0, 40 * MINUTE), st.sampled_from("abc"), st.sampled_from(list(Severity))), max_size=60
)


def in_time(steps):
    at, made = T0, []
    for gap, subject, severity in steps:
        at += gap
        made.append(alert(subject, severity, at))
    return made


@given(ALERTS)
def test_the_same_is_never_told_twice_within_the_quiet_period_unless_it_rose(steps):
    told, last = Told(Quiet(period=HOUR, most_per_hour=1000)), {}
    for each in in_time(steps):
        if told.decide(each)[0] is Decision.TELL:
            before = last.get(each.key)
            assert before is None or each.at - before.at >= HOUR or each.severity.rank > before.severity.rank
            last[each.key] = each


@given(ALERTS, st.integers(1, 5))
def test_what_rises_above_what_was_told_is_never_held_back(steps, most):
    told, last = Told(Quiet(period=HOUR, most_per_hour=most)), {}
    for each in in_time(steps):
        decision, _ = told.decide(each)
        if each.key in last and each.severity.rank > last[each.key].severity.rank:
            assert decision is Decision.TELL
        if decision is Decision.TELL:
            last[each.key] = each


@given(ALERTS)
def test_with_room_everything_new_or_due_is_told(steps):
    told, last = Told(Quiet(period=HOUR, most_per_hour=1000)), {}
    for each in in_time(steps):
        before = last.get(each.key)
        due = before is None or each.at - before.at >= HOUR or each.severity.rank > before.severity.rank
        assert (told.decide(each)[0] is Decision.TELL) is due
        last = last | {each.key: each} if due else last


@given(ALERTS)
def test_what_is_held_back_is_counted_on_the_next_that_is_told(steps):
    told, held = Told(Quiet(period=HOUR, most_per_hour=3)), {}
    for each in in_time(steps):
        decision, made = told.decide(each)
        if decision is Decision.TELL:
            assert made.again == held.get(each.key, 0)
            held[each.key] = 0
        else:
            held[each.key] = held.get(each.key, 0) + 1


@given(st.lists(st.integers(0, 10 * MINUTE), max_size=80))
def test_no_more_than_the_bound_and_its_refill_are_told_in_an_hour(gaps):
    told, at, out = Told(Quiet(period=0, most_per_hour=5)), T0, []
    for number, gap in enumerate(gaps):
        at += gap
        if told.decide(alert(f"s{number}", at=at))[0] is Decision.TELL:
            out.append(at)
    for first in out:
        assert sum(first <= each < first + HOUR for each in out) <= 2 * 5


def test_what_is_critical_passes_the_hourly_bound():
    told = Told(Quiet(most_per_hour=1))
    alerts = [alert("a"), alert("b"), alert("c", Severity.CRITICAL)]
    assert decisions(told, alerts) == [Decision.TELL, Decision.FLOOD, Decision.TELL]


def test_what_the_hourly_bound_held_back_is_due_as_soon_as_there_is_room():
    told = Told(Quiet(most_per_hour=1))
    assert decisions(told, [alert("a"), alert("b"), alert("b", at=T0 + HOUR)])[1:] == [Decision.FLOOD, Decision.TELL]


def test_a_clock_that_was_set_back_silences_nothing_for_longer_than_the_period():
    told = Told(Quiet(period=HOUR))
    back = T0 - 1000 * HOUR
    alerts = [alert(at=T0), alert(at=back), alert(at=back + HOUR)]
    assert decisions(told, alerts) == [Decision.TELL, Decision.QUIET, Decision.TELL]


def test_what_was_told_before_a_restart_is_not_told_again():
    told = Told(Quiet())
    told.remember([alert()])
    assert decisions(told, [alert(at=T0 + 1), alert("other", at=T0 + 1)]) == [Decision.QUIET, Decision.TELL]


def test_of_too_many_keys_the_oldest_is_forgotten():
    told = Told(Quiet(most_per_hour=100_000))
    told.remember(alert(f"s{number}") for number in range(10_001))
    assert decisions(told, [alert("s0"), alert("s10000")]) == [Decision.TELL, Decision.QUIET]


def test_an_alert_is_one_line_of_bounded_length():
    made = alert("a\nb", words="x\r\nBcc: y\x00" + "z" * 5000)
    assert made.subject == "a b"
    assert "\n" not in made.words
    assert len(made.words) == 600
    assert made.key == "loop|a b"


def test_the_id_is_the_deliverys_own_and_differs_between_alerts():
    assert alert().id == alert(words="said otherwise").id
    assert len({alert().id, alert(at=T0 + 1).id, alert(severity=Severity.CRITICAL).id, alert("t").id}) == 4


def test_a_surrogate_in_a_name_is_no_error():
    assert len(alert("\ud800").id) == 16


@pytest.mark.parametrize(("percent", "severity"), [(50, "info"), (80, "warning"), (99, "warning"), (100, "critical")])
def test_a_budgets_threshold_is_as_bad_as_it_is_high(percent, severity):
    made = crossed(
        budget="day", account="day|x", whose="project shop", percent=percent, spent=4 * 10**12, cap=5 * 10**12, at=T0
    )
    assert (made.severity, made.subject, made.dollars) == (severity, "budget day, project shop", 4 * 10**12)
    assert made.words == f"$4.00 of the $5.00 of budget day are spent: {percent} % is passed."


def test_each_threshold_is_told():
    told = Told(Quiet())
    base = {"budget": "day", "whose": "", "spent": 0, "cap": 1, "at": T0}
    alerts = [crossed(account=account, percent=percent, **base) for account in "ab" for percent in (80, 85, 90)]
    assert set(decisions(told, alerts)) == {Decision.TELL}
    assert set(decisions(told, alerts)) == {Decision.QUIET}


def test_a_rate_limit_is_told_for_each_whom_it_holds():
    limit = RateLimit(name="storm", rate=Rate(most=1, per=MINUTE, burst=1))
    first, second = (limited(Over(limit=limit, subject=name, wait=5), T0) for name in "ab")
    assert first.subject == "storm, session a"
    assert first.key != second.key
    assert first.words.startswith("The rate limit storm")


@given(st.text(), st.text())
def test_keys_that_differ_stay_different_however_long(first, second):
    keys = [alert(key=f"k{'x' * 300}{end}").key for end in (first, second)]
    assert (keys[0] == keys[1]) == (first == second)
    assert all(len(key) <= 200 for key in keys)


@pytest.mark.parametrize("given", [{"period": -1}, {"most_per_hour": 0}])
def test_a_quiet_that_cannot_be_meant_is_refused(given):
    with pytest.raises(ValueError, match="quiet"):
        Quiet(**given)
