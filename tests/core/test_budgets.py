from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.config.zones import budget_zone
from underspend.core.budgets import (
    Action,
    AtCap,
    Budget,
    PastCall,
    Scope,
    Subject,
    bookings,
    claims,
    claims_on,
    crossings,
    needed_since,
    over,
    over_request,
    requests,
    subject_of,
    to_reserve,
)
from underspend.core.call import Call, Identity, Role
from underspend.core.holds import Standing
from underspend.core.windows import DAY, HOUR, MINUTE, SECOND, Kind, Unit, Window, period, window

NOW = 1_790_000_000 * SECOND
DAILY = Budget(name="team", cap=100, window=window("calendar day"))
WHO = Subject(
    model="m", role=Role.MAIN, project="web", key="k1", user="ann", tags=("x", "y", "x"), session="s1", agent=None
)


def accounts(budget: Budget, who: Subject = WHO, at: int = NOW) -> list[str]:
    return [claim.account.removeprefix(budget.series) for claim in claims((budget,), who, at)]


@pytest.mark.parametrize(
    ("scope", "values"),
    [
        (Scope.ALL, [""]),
        (Scope.PROJECT, ["web"]),
        (Scope.KEY, ["k1"]),
        (Scope.USER, ["ann"]),
        (Scope.TAG, ["x", "y"]),
        (Scope.MODEL, ["m"]),
        (Scope.ROLE, ["main"]),
    ],
)
def test_each_value_of_a_scope_has_an_account_and_unknown_ones_have_one_too(scope: Scope, values: list[str]) -> None:
    budget = replace(DAILY, scope=scope)
    assert accounts(budget) == values
    nobody = accounts(budget, Subject(model=""))
    assert nobody == ([""] if scope is Scope.ALL else ["unknown"] if scope is Scope.ROLE else ["?"])


def test_a_budget_for_one_value_counts_that_ones_calls_only() -> None:
    only = replace(DAILY, scope=Scope.PROJECT, only="web")
    assert accounts(only) == ["web"]
    assert accounts(only, replace(WHO, project="webapp")) == []
    assert accounts(only, replace(WHO, project=None)) == []
    assert accounts(replace(DAILY, scope=Scope.TAG, only="y")) == ["y"]


def test_a_call_falls_under_several_budgets_at_once_in_their_order() -> None:
    month = replace(DAILY, name="month", window=window("rolling month"), action=Action.BLOCK)
    made = claims((DAILY, month), WHO, NOW)
    assert [(claim.budget, claim.enforced) for claim in made] == [("team", False), ("month", True)]


def test_sessions_have_an_account_each_and_calls_without_one_share_their_keys_last_day() -> None:
    session = replace(DAILY, window=window("session"))
    assert accounts(session) == ["|s1"]
    (claim,) = claims((session,), replace(WHO, session=None), NOW)
    assert claim.account == f"{session.series}|?|k1"
    assert claim.since < NOW - DAY + MINUTE
    assert claim.bucket > 0


def test_a_fan_out_is_the_sub_agents_of_one_parent_and_never_the_main_loop() -> None:
    fan = replace(DAILY, window=window("fan-out"))
    assert accounts(fan) == []
    child = replace(WHO, agent="a1", role=Role.SUBAGENT)
    assert accounts(fan, child) == accounts(fan, replace(child, agent="a2")) == ["|s1|main"]
    assert accounts(fan, replace(child, parent_agent="a1")) == ["|s1|a1"]
    assert accounts(fan, replace(WHO, role=Role.SUBAGENT)) == ["|s1|main"]
    assert accounts(fan, replace(child, session=None)) == ["|?|k1|main"]


def test_request_budgets_add_nothing_up_and_the_smallest_is_asked_first() -> None:
    large = Budget(name="large", cap=50, window=window("request"), action=Action.BLOCK)
    small = replace(large, name="small", cap=20)
    other = replace(large, name="other", cap=1, scope=Scope.PROJECT, only="api")
    asked = requests((DAILY, large, other, small), WHO)
    assert asked == (small, large)
    assert claims(asked, WHO, NOW) == ()
    assert over_request(asked, 20) is None
    assert over_request(asked, 21) is small
    assert to_reserve(asked, 70) == 70
    ending = replace(small, at_cap=AtCap.END)
    assert (to_reserve((ending,), 70), to_reserve((ending,), 10)) == (20, 10)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": ""}, "is no name"),
        ({"name": "a|b"}, "is no name"),
        ({"name": "a" * 65}, "is no name"),
        ({"cap": -1}, "below zero"),
        ({"only": "web"}, "counts all calls"),
        ({"action": Action.DOWNGRADE}, "belong together"),
        ({"downgrade_to": "small"}, "belong together"),
        ({"at_cap": AtCap.END}, "of one request"),
        ({"at_cap": AtCap.END, "window": Window(Kind.REQUEST)}, "of one request"),
        ({"thresholds": (0, 50)}, "above zero"),
    ],
)
def test_what_cannot_be_meant_is_refused_when_it_is_read(changes: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        replace(DAILY, **changes)


def test_another_cap_or_action_is_the_same_series_and_what_is_counted_makes_another() -> None:
    same = (replace(DAILY, cap=7), replace(DAILY, action=Action.BLOCK), replace(DAILY, thresholds=(10,)))
    assert {budget.series for budget in same} == {DAILY.series}
    others = (
        replace(DAILY, name="t2"),
        replace(DAILY, window=window("rolling day")),
        replace(DAILY, zone=budget_zone("Europe/Berlin")),
        replace(DAILY, scope=Scope.KEY),
        replace(DAILY, scope=Scope.PROJECT, only="web"),
        replace(DAILY, scope=Scope.PROJECT, only="webapp"),
    )
    series = [DAILY.series, *(budget.series for budget in others)]
    assert len(set(series)) == len(series)
    assert not [one for one in series for other in series if one != other and one.startswith(other)]


NAMES = st.one_of(st.none(), st.text(st.sampled_from("a|%?7C \ud800"), max_size=4))


@given(st.tuples(NAMES, NAMES, NAMES, NAMES, NAMES, NAMES))
def test_no_client_gets_into_anothers_account_by_what_it_calls_itself(names: tuple[str | None, ...]) -> None:
    session = replace(DAILY, scope=Scope.PROJECT, window=window("session"))
    one = replace(WHO, project=names[0], session=names[1], key=names[2])
    other = replace(WHO, project=names[3], session=names[4], key=names[5])

    def identity(who: Subject) -> tuple[str, ...]:
        # "?" is the name of what is unknown, and a client may as well say nothing.
        return (who.project or "?", *((who.session,) if who.session is not None else ("?", who.key or "?")))

    for who in (one, other):
        accounts(session, who)[0].encode()
    if accounts(session, one) == accounts(session, other):
        told = [[part.encode("utf-8", "backslashreplace") for part in identity(who)] for who in (one, other)]
        assert [part or b"?" for part in told[0]] == [part or b"?" for part in told[1]]


def test_a_subject_is_cut_as_the_ledger_cuts_and_names_the_model_that_is_sent() -> None:
    identity = Identity(
        session="s" * 500, project="p" * 500, agent="a" * 500, key="", user="ann", tags=("t",), role=Role.SUBAGENT
    )
    call = Call(id="c", time=NOW, provider="anthropic", endpoint="messages", model="m" * 500, identity=identity)
    who = subject_of(call)
    assert [len(text or "") for text in (who.session, who.project, who.agent, who.model)] == [128, 255, 64, 128]
    assert (who.user, who.key, who.tags, who.role) == ("ann", None, ("t",), Role.SUBAGENT)


BUDGETS = (
    DAILY,
    replace(DAILY, name="hour", window=window("rolling hour")),
    replace(DAILY, name="session", window=window("session")),
    replace(DAILY, name="projects", scope=Scope.PROJECT, window=window("calendar week")),
    Budget(name="one", cap=1, window=window("request"), action=Action.BLOCK),
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([WHO, replace(WHO, project="api"), replace(WHO, session=None)]),
            st.integers(0, 10 * DAY),
            st.integers(0, 1_000),
        ),
        max_size=20,
    )
)
def test_the_ledgers_sums_are_what_settling_call_by_call_would_have_booked(
    past: list[tuple[Subject, int, int]],
) -> None:
    calls = [PastCall(subject=who, at=NOW - ago, amount=amount) for who, ago, amount in past]
    for budget in BUDGETS:
        booked: dict[tuple[str, int], int] = {}
        for call in calls:
            for claim in claims((budget,), call.subject, call.at):
                name = (claim.account, claim.bucket)
                booked[name] = booked.get(name, 0) + call.amount
        made = bookings(budget, calls)
        assert {(each.account, each.bucket): each.amount for each in made} == booked
        for each in made:
            assert each.forget > each.bucket


def test_so_much_of_the_ledger_is_read_as_still_counts() -> None:
    assert needed_since((), NOW) == NOW
    assert needed_since(BUDGETS[4:], NOW) == NOW
    assert needed_since(BUDGETS[:2], NOW) == min(
        period(DAILY.window, NOW, DAILY.zone).since, period(window("rolling hour"), NOW, DAILY.zone).since
    )
    assert needed_since(BUDGETS, NOW) == NOW - 90 * DAY


@pytest.mark.parametrize("budget", BUDGETS[:4], ids=lambda budget: budget.name)
@pytest.mark.parametrize("who", [WHO, replace(WHO, session=None, project="a|b%"), Subject(model="m")])
def test_an_account_is_claimed_by_name_as_a_call_of_its_would_claim_it(budget: Budget, who: Subject) -> None:
    fan = replace(budget, window=window("fan-out"))
    child = replace(who, agent="a", parent_agent="p")
    for each, caller in ((budget, who), (fan, child)):
        (claim,) = claims((each,), caller, NOW)
        assert claims_on(each, [claim.account, "another|account"], NOW) == (claim,)


def crossed(budget: Budget, spent: int, cap: int | None = 100) -> list[tuple[int, int]]:
    (claim,) = claims((budget,), WHO, NOW)
    standing = Standing(budget.name, claim.account, cap, spent, 10**6)
    return [(each.percent, each.until) for each in crossings(budget, claim, standing, NOW)]


def test_thresholds_are_crossed_by_what_is_spent_and_not_by_what_is_held() -> None:
    ends = period(DAILY.window, NOW, DAILY.zone).ends
    assert crossed(DAILY, 49) == []
    assert crossed(DAILY, 50) == [(50, ends)]
    assert crossed(DAILY, 79) == [(50, ends)]
    assert crossed(DAILY, 150) == [(50, ends), (80, ends), (100, ends)]
    assert crossed(DAILY, 150, cap=None) == []
    assert [percent for percent, _ in crossed(replace(DAILY, thresholds=(120, 10)), 125)] == [10, 120]


def test_a_threshold_of_a_rolling_window_is_told_again_after_its_length_and_of_a_session_never() -> None:
    rolling = replace(DAILY, window=Window(Kind.ROLLING, Unit.HOUR))
    assert crossed(rolling, 50) == [(50, NOW + HOUR)]
    assert crossed(replace(DAILY, window=window("session")), 50)[0][1] > NOW + 100 * 365 * DAY
    (claim,) = claims((replace(DAILY, window=window("session")),), replace(WHO, session=None), NOW)
    (crossing,) = crossings(replace(DAILY, window=window("session")), claim, Standing("t", "a", 100, 50, 0), NOW)
    assert crossing.until == NOW + DAY


def test_budgets_that_are_over_are_found_by_how_they_stand() -> None:
    month = replace(DAILY, name="month", cap=1_000)
    standings = (Standing("team", "a", 100, 60, 30), Standing("month", "b", 1_000, 60, 30))
    assert over((DAILY, month), standings, 10) == ()
    assert over((DAILY, month), standings, 11) == ((DAILY, standings[0]),)
