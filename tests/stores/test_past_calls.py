from __future__ import annotations

from stores.ledger_of_budgets import NOW, call_row, ledger
from underspend.core.budgets import Subject
from underspend.core.call import Role
from underspend.stores.past_calls import amounts, last_ended, last_sent, past_calls


def dearest(provider: str, prompt: int, output: int) -> int:
    return prompt * 10 + output * 100


def test_settled_calls_since_an_instant_are_given_as_budgets_see_them() -> None:
    engine = ledger(
        call_row("a", 5, project="web", key="k", session="s", agent="g", parent_agent="p", role="subagent"),
        call_row("odd", 7, role="new", started_at=NOW + 1),
        call_row("before", 9, started_at=NOW - 1),
        call_row("open", 9, state="open"),
        call_row("free", 0),
    )
    first, second = past_calls(engine, NOW, dearest, subscription=False)
    assert first.subject == Subject(
        model="claude-opus-5-5",
        role=Role.SUBAGENT,
        project="web",
        key="k",
        session="s",
        agent="g",
        parent_agent="p",
    )
    assert (first.at, first.amount) == (NOW, 5)
    assert (second.subject.role, second.amount) == (Role.UNKNOWN, 7)


def test_calls_of_a_subscription_count_only_where_asked_for() -> None:
    engine = ledger(call_row("a", 5, billing="oauth"), call_row("b", 6, billing=None))
    assert [each.amount for each in past_calls(engine, 0, dearest, subscription=False)] == [6]
    assert [each.amount for each in past_calls(engine, 0, dearest, subscription=True)] == [5, 6]


def test_a_call_without_a_price_counts_what_it_is_said_to() -> None:
    engine = ledger(call_row("a", 5, unpriced="m", input_tokens=1, cache_read_tokens=2, output_tokens=3))
    assert [each.amount for each in past_calls(engine, 0, dearest, subscription=False)] == [5 + 30 + 300]


def test_amounts_are_found_by_id_and_for_the_last() -> None:
    rows = [call_row(f"c{n}", n, started_at=NOW + n) for n in range(1_200)]
    engine = ledger(*rows, call_row("open", 1, state="open"))
    assert amounts(engine, [row["id"] for row in rows] + ["open", "none"], dearest) == {
        f"c{n}": n for n in range(1_200)
    }
    assert last_ended(engine, dearest, limit=2) == [("c1199", 1199), ("c1198", 1198)]


def test_the_last_call_of_a_conversation_says_what_it_was_sent_to() -> None:
    engine = ledger(
        call_row("a", 1, session="s", model_asked="x", model_sent="x"),
        call_row("b", 1, session="s", model_asked="x", model_sent="y", started_at=NOW + 1),
        call_row("c", 1, session="s", agent="g", role="subagent", model_asked=None, model_sent=None),
    )
    assert last_sent(engine, "s", None, "main") == ("x", "y")
    assert last_sent(engine, "s", "g", "subagent") == ("", "")
    assert last_sent(engine, "t", None, "main") is None
