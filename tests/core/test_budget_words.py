from __future__ import annotations

from dataclasses import replace

import pytest

from underspend.config.zones import budget_zone
from underspend.core.budget_words import breach, described, moment, request_breach, told, unavailable, warning
from underspend.core.budgets import Action, AtCap, Budget, Crossing, Scope, Subject, claims
from underspend.core.holds import Standing
from underspend.core.money import from_usd
from underspend.core.windows import DAY, HOUR, day_of, window

NOW = day_of(2026, 11, 20) * DAY + 17 * HOUR
FIVE = from_usd(5)
DAILY = Budget(
    name="team",
    cap=FIVE,
    window=window("calendar day"),
    zone=budget_zone("Europe/Berlin"),
    scope=Scope.PROJECT,
    action=Action.BLOCK,
)
WEB = claims((DAILY,), Subject(model="m", project="web|app"), NOW)[0].account


def standing(spent: str = "4.80", held: str = "0.15", cap: int | None = FIVE) -> Standing:
    return Standing("team", WEB, cap, from_usd(spent), from_usd(held))


def test_a_breach_says_what_happened_when_it_begins_again_and_how_to_go_on() -> None:
    assert breach(DAILY, standing(), from_usd("0.30"), NOW) == (
        "The budget 'team' of $5.00 per day for project web|app has no room for this call: $4.80 is spent, $0.150 is "
        "held for calls in flight, and the call could cost up to $0.300, $0.250 too much. It begins again at 00:00 on "
        "21 November (Europe/Berlin). To go on now, raise it (underspend budget raise team --to DOLLARS --until TIME) "
        "or pause it (underspend budget pause team)."
    )


def test_a_raised_budget_says_so_and_one_without_holds_does_not_speak_of_them() -> None:
    words = breach(DAILY, standing(held="0", cap=from_usd(6)), from_usd(2), NOW)
    assert "for project web|app (raised to $6.00) has no room" in words
    assert "in flight" not in words
    assert "$0.800 too much" in words


def test_each_window_says_when_there_is_room_again() -> None:
    rolling = replace(DAILY, window=window("rolling hour"))
    assert "Room comes back as what was spent grows older than an hour. " in breach(rolling, standing(), FIVE, NOW)
    session = replace(DAILY, window=window("session"))
    assert "too much. To go on now" in breach(session, standing(), FIVE, NOW)
    waiting = breach(session, standing(spent="0"), FIVE, NOW)
    assert "It has room again when the calls in flight are done. To go on" in waiting
    assert "too much. To go on now" in breach(session, standing(spent="0", held="0"), 2 * FIVE, NOW)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "$5.00 per day for each project"),
        ({"only": "web"}, "$5.00 per day for project web"),
        ({"scope": Scope.ALL, "window": window("rolling week")}, "$5.00 in any week"),
        ({"scope": Scope.KEY, "window": window("session")}, "$5.00 per session for each key"),
        ({"scope": Scope.ALL, "window": window("fan-out")}, "$5.00 per group of sub-agents"),
        ({"scope": Scope.ALL, "window": window("request")}, "$5.00 per request"),
    ],
)
def test_a_budget_is_described_by_its_cap_and_what_it_is_for(changes: dict[str, object], words: str) -> None:
    assert described(replace(DAILY, **changes)) == words


def test_a_request_that_is_too_dear_is_told_to_be_smaller_and_one_that_was_ended_why() -> None:
    one = replace(DAILY, window=window("request"), scope=Scope.ALL)
    assert request_breach(one, from_usd(7)) == (
        "The budget 'team' of $5.00 per request has no room for this call: it could cost up to $7.00. "
        "Ask for less output or send a shorter prompt."
    )
    ended = request_breach(replace(one, at_cap=AtCap.END), from_usd(7))
    assert ended == "The reply was ended here: it reached the budget 'team' of $5.00 per request."


def test_warnings_alerts_and_a_store_that_is_away_have_their_words() -> None:
    assert warning(DAILY, standing()) == (
        "The budget 'team' of $5.00 per day for project web|app is used up: $4.80 is spent and $0.150 held for calls "
        "in flight."
    )
    crossing = Crossing("team", WEB, 80, from_usd("4.10"), FIVE, NOW)
    assert told(DAILY, crossing) == "80 % of the budget 'team' is spent: $4.10 of $5.00 for project web|app."
    assert unavailable(DAILY, "timed out").startswith(
        "The budget 'team' of $5.00 per day for each project cannot be checked (timed out), and it is set to block"
    )


def test_a_moment_is_the_zones() -> None:
    assert moment(NOW, budget_zone("Asia/Kathmandu")) == "22:45 on 20 November (Asia/Kathmandu)"
    assert (
        moment(day_of(2027, 1, 1) * DAY, budget_zone("America/New_York")) == "19:00 on 31 December (America/New_York)"
    )
