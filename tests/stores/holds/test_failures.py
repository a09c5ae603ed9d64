"""How the budgets of other gateways failed, each as a test. The numbers are those of their public issues."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import pytest

from stores.holds.servers import Server, fresh, opened
from underspend.core.budgets import Action, Budget, PastCall, Scope, Subject, bookings, claims, subject_of
from underspend.core.call import Call, Identity, Role
from underspend.core.holds import Answer, Holds, HoldsLostError, Refused, Reserved
from underspend.core.money import from_usd
from underspend.core.windows import DAY, HOUR, SECOND, period, window
from underspend.pricing.forecast import Forecast

NOW = 1_790_000_000 * SECOND
LIFE = 60 * SECOND
DOLLAR = from_usd(1)
FIVE = Budget(name="five", cap=5 * DOLLAR, window=window("calendar day"), action=Action.BLOCK)
WHO = Subject(model="m", session="s", project="web")


def begun(holds: Holds, *budgets: Budget) -> None:
    for budget in budgets or (FIVE,):
        holds.restore(budget.series, (), now=NOW)


def reserve(holds: Holds, call: str, amount: int, *budgets: Budget, who: Subject = WHO, now: int = NOW) -> Answer:
    return holds.reserve(call, claims(budgets or (FIVE,), who, now), amount, now=now, expires=now + LIFE)


def spent(holds: Holds, budget: Budget = FIVE, who: Subject = WHO, now: int = NOW) -> tuple[int, int]:
    (found,) = holds.standings(claims((budget,), who, now), now=now)
    return found.spent, found.held


@pytest.mark.parametrize(
    "budget", [FIVE, replace(FIVE, window=window("session")), replace(FIVE, scope=Scope.USER)], ids=str
)
def test_f1_calls_at_once_are_not_all_let_through_on_the_same_reading(holds: Holds, budget: Budget) -> None:
    """LiteLLM #34732 (session), #40095 (first calls of an unknown user), #26672: checked, then charged."""
    begun(holds, budget)
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda n: reserve(holds, f"c{n}", DOLLAR // 10, budget), range(1_000 // 10)))
    assert sum(isinstance(answer, Reserved) for answer in answers) == 50
    for n, answer in enumerate(answers):
        if isinstance(answer, Reserved):
            holds.settle(f"c{n}", DOLLAR // 10, now=NOW)
    assert spent(holds, budget) == (5 * DOLLAR, 0)


def test_f1_a_call_that_fits_in_part_is_not_let_through_on_a_smaller_hold(holds: Holds) -> None:
    """LiteLLM shrinks the reservation to what is left and admits."""
    begun(holds)
    reserve(holds, "a", 4 * DOLLAR)
    refused = reserve(holds, "b", 2 * DOLLAR)
    assert isinstance(refused, Refused)
    assert refused.full[0].short(2 * DOLLAR) == DOLLAR
    assert spent(holds) == (0, 4 * DOLLAR)


def test_f2_a_client_that_goes_away_leaves_no_refusals_behind(holds: Holds) -> None:
    """LiteLLM #27639, #36926 (on one process), #40050: refused with real spending far below the cap."""
    begun(holds)
    for n in range(200):
        assert isinstance(reserve(holds, f"c{n}", 4 * DOLLAR), Reserved)
        assert holds.release(f"c{n}", now=NOW)
    assert spent(holds) == (0, 0)


def _die_holding(kind: str, place: str) -> None:
    reserve(opened(kind, place), "dying", 5 * DOLLAR)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_f2_the_hold_of_a_killed_process_expires(kind: str, tmp_path: Path, server: Server) -> None:
    """LiteLLM PR #30330: a kill in the middle of a stream left its hold for ever; #30460: Redis 50, database 14."""
    with fresh(kind, tmp_path, server) as place:
        holds = opened(kind, place)
        begun(holds)
        process = multiprocessing.get_context("spawn").Process(target=_die_holding, args=(kind, place))
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        assert isinstance(reserve(holds, "early", 1), Refused)
        assert isinstance(reserve(holds, "late", 5 * DOLLAR, now=NOW + LIFE), Reserved)
        holds.close()


def test_f2_a_window_that_ends_in_the_middle_of_a_call_does_not_end_below_zero(holds: Holds) -> None:
    """LiteLLM #27735: the counter is reset, the hold is taken off it, and the new window has room that is not there."""
    begun(holds)
    tomorrow = period(FIVE.window, NOW, FIVE.zone).until
    reserve(holds, "over midnight", 4 * DOLLAR, now=tomorrow - SECOND)
    assert isinstance(reserve(holds, "new", 5 * DOLLAR, now=tomorrow), Reserved)
    holds.settle("over midnight", 3 * DOLLAR, now=tomorrow + SECOND)
    assert spent(holds, now=tomorrow + SECOND) == (0, 5 * DOLLAR)
    assert spent(holds, now=tomorrow - SECOND) == (3 * DOLLAR, 0)
    assert isinstance(reserve(holds, "more", 1, now=tomorrow + SECOND), Refused)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_f3_two_processes_have_one_budget_between_them(kind: str, tmp_path: Path, server: Server) -> None:
    """Bifrost #3547, LiteLLM #40020: each replica counted for itself."""
    with fresh(kind, tmp_path, server) as place:
        one, two = opened(kind, place), opened(kind, place)
        begun(one)
        assert isinstance(reserve(one, "a", 3 * DOLLAR), Reserved)
        assert isinstance(reserve(two, "b", 3 * DOLLAR), Refused)
        assert two.settle("a", DOLLAR, now=NOW), "any replica may settle"
        assert one.settle("a", DOLLAR, now=NOW) is False
        assert spent(one) == spent(two) == (DOLLAR, 0)
        one.close()
        two.close()


def test_f3_a_budget_begins_again_in_the_next_window_without_a_restart(holds: Holds) -> None:
    """LiteLLM #40020: the cost in the process's memory was never reset."""
    begun(holds)
    reserve(holds, "a", 5 * DOLLAR)
    holds.settle("a", 5 * DOLLAR, now=NOW)
    assert isinstance(reserve(holds, "b", 1), Refused)
    assert isinstance(reserve(holds, "c", 5 * DOLLAR, now=NOW + DAY), Reserved)


def test_f3_a_store_that_was_emptied_says_so_before_it_lets_a_call_through(tmp_path: Path) -> None:
    """Counters that begin again at zero when Redis does: the ledger's sums come first."""
    server = Server()
    try:
        holds = opened("redis", server.url)
        begun(holds)
        reserve(holds, "a", 5 * DOLLAR)
        server.kill()
        server.start()
        with pytest.raises(HoldsLostError):
            reserve(holds, "b", 1)
        mine = claims((FIVE,), WHO, NOW)
        assert holds.settle("a", 2 * DOLLAR, now=NOW, claims=mine), "a call in flight is booked all the same"
        past = [PastCall(subject=WHO, at=NOW - HOUR, amount=DOLLAR)]
        assert holds.restore(FIVE.series, bookings(FIVE, past), now=NOW)
        assert spent(holds) == (3 * DOLLAR, 0)
        holds.close()
    finally:
        server.close()


def test_f3_another_cap_keeps_what_was_counted_and_another_window_is_counted_anew(holds: Holds) -> None:
    """TensorZero: editing a rule resets its usage."""
    begun(holds)
    reserve(holds, "a", 5 * DOLLAR)
    holds.settle("a", 5 * DOLLAR, now=NOW)
    dearer = replace(FIVE, cap=6 * DOLLAR)
    assert isinstance(reserve(holds, "b", DOLLAR, dearer), Reserved)
    assert isinstance(reserve(holds, "c", 1, dearer), Refused)
    monthly = replace(FIVE, window=window("calendar month"))
    with pytest.raises(HoldsLostError):
        reserve(holds, "d", 1, monthly)
    holds.restore(monthly.series, bookings(monthly, [PastCall(subject=WHO, at=NOW, amount=5 * DOLLAR)]), now=NOW)
    assert isinstance(reserve(holds, "d", 1, monthly), Refused)


NOBODY = Subject(model="m")


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("of", ["calendar day", "rolling hour", "session"])
def test_f11_a_call_that_says_nothing_of_itself_slips_no_budget(scope: Scope, of: str) -> None:
    """Bifrost #2873 (passthrough), LiteLLM #27381 (the limiter was never asked)."""
    budget = replace(FIVE, scope=scope, window=window(of))
    assert len(claims((budget,), NOBODY, NOW)) == 1
    assert claims((budget,), NOBODY, NOW)[0].enforced


def test_f11_a_model_without_a_price_is_held_at_the_dearest(holds: Holds) -> None:
    """LiteLLM #24770, #36561: a model of unknown price had no reservation, and the budget never tripped."""
    begun(holds)
    prices = Forecast()
    call = Call(
        id="c", time=NOW, provider="anthropic", endpoint="messages", model="claude-of-tomorrow", max_output=64_000
    )
    call = replace(call, prompt_ceiling=200_000)
    most = prices.worst_case(call)
    assert most > prices.worst_case(replace(call, prompt_ceiling=0)) > 0
    assert isinstance(reserve(holds, "c", 10 * most, who=subject_of(call)), Refused)


def test_f11_what_is_counted_is_the_cost_and_not_the_calls(holds: Holds) -> None:
    """Envoy AI Gateway #2248: the cost never reached the counter, which went up by one; wso2 #2936: never tripped."""
    begun(holds)
    cost = from_usd("0.123456789012")
    for n in range(40):
        assert isinstance(reserve(holds, f"c{n}", cost), Reserved)
        holds.settle(f"c{n}", cost, now=NOW)
    assert spent(holds) == (40 * cost, 0)
    assert isinstance(reserve(holds, "last", cost), Refused)


OTHER = {
    "name": "six",
    "cap": 6,
    "window": window("rolling day"),
    "scope": Scope.PROJECT,
    "only": "web",
    "action": Action.BLOCK,
}


@pytest.mark.parametrize("field", OTHER)
def test_f11_no_field_of_a_budget_is_ignored(field: str) -> None:
    """Bifrost #5673: a field of a budget had no effect."""
    plain = Budget(name="five", cap=5, window=window("calendar day"), scope=Scope.KEY)
    if field == "only":
        plain = replace(plain, scope=Scope.PROJECT)
    assert claims((plain,), WHO, NOW) != claims((replace(plain, **{field: OTHER[field]}),), WHO, NOW)


def test_f11_every_field_of_a_budget_is_looked_at() -> None:
    elsewhere = {"zone", "thresholds", "downgrade_to", "at_cap"}  # test_budgets
    assert {field.name for field in fields(Budget)} == set(OTHER) | elsewhere


def test_f11_sub_agents_and_side_calls_count_in_the_budgets_of_their_session(holds: Holds) -> None:
    session = replace(FIVE, window=window("session"), cap=len(Role) * DOLLAR)
    begun(holds, session)
    for role in Role:
        call = Call(id=role, time=NOW, provider="anthropic", endpoint="messages", model="m")
        call = replace(call, identity=Identity(session="s", agent=f"a-{role}", role=role))
        reserve(holds, role, DOLLAR, session, who=subject_of(call))
        holds.settle(role, DOLLAR, now=NOW)
    assert spent(holds, session) == (len(Role) * DOLLAR, 0)
