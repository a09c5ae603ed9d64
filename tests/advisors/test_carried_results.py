from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from advisors.scenes import advise, assert_sound, histories, line, reply, result, use
from underspend.advisors.carried_results import CarriedResults
from underspend.core.history import Event, History, Timeline


@given(histories(), st.integers(0, 5))
def test_it_is_sound(told: History, seed: int) -> None:
    assert_sound(CarriedResults(), told, seed)


def session(sizes: list[int], name: str = "Bash", target: str = "ls") -> Timeline:
    """One result after each reply; a prompt grows by just its result, and is read in full by the next."""
    events: list[Event] = []
    grown = 10_000
    for number, tokens in enumerate([0, *sizes]):
        if number:
            events.append(result(f"u{number - 1}", tokens * 7 // 2, number))
        read = grown if number else 0
        use_next = use(f"u{number}", name, target)
        events.append(reply(f"m{number:02}", number, read=read, w5=tokens or 10_000, tools=(use_next,)))
        grown += tokens
    return line(*events)


def test_what_results_cost_by_tool_is_told_without_a_saving() -> None:
    found = advise(CarriedResults(), session([2_000, 100]))
    by_tool = found["carried-results/by-tool"]
    # Entry of both, and 2,000 tokens read once more.
    assert by_tool.title.startswith("Tool results cost $0.000000282 from entering")
    assert (by_tool.amount, by_tool.claims) == (0, ())
    assert by_tool.rows == [
        {"by": by, "name": name, "results": 2, "tokens": 2_100, "calls carried": 3, "cost": "$0.000000282"}
        for by, name in (("tool", "Bash"), ("use", "Bash ls"))
    ]
    assert 2_100 * 125 + 2_000 * 10 == 282_500
    assert list(found) == ["carried-results/by-tool"]


def test_servers_have_a_finding_of_their_own() -> None:
    found = advise(CarriedResults(), session([2_000], "mcp__github__search"))
    assert [(row["by"], row["name"]) for row in found["carried-results/mcp-servers"].rows] == [
        ("server", "github"),
        ("tool", "mcp__github__search"),
    ]


def test_large_results_are_charged_for_what_they_hold_beyond_the_limit() -> None:
    large = advise(CarriedResults(), session([1_400, 9_000, 1_400, 1_400]))["carried-results/large"]
    # 7,000 tokens beyond 2,000, written once and read with the two calls after.
    assert large.amount == 7_000 * (125 + 10 + 10)
    assert [(row["tokens"], row["calls carried"]) for row in large.rows] == [(9_000, 3)]
    assert "beyond 2,000 tokens" in large.title


def test_small_results_are_never_large() -> None:
    assert "carried-results/large" not in advise(CarriedResults(), session([100] * 20 + [2_000]))


def test_results_without_a_price_say_nothing() -> None:
    unpriced = line(
        reply("a", 1, w5=10_000, model="unpriced", tools=(use("u"),)),
        result("u", 7_000),
        reply("b", 2, w5=12_000, model="unpriced"),
    )
    assert advise(CarriedResults(), unpriced) == {}
