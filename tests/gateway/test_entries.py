from underspend.core.call import Block, Call, Identity, Role, Section
from underspend.core.edits import (
    DropMessages,
    RefusalKind,
    Refuse,
    ReplaceContent,
    SetBreakpoint,
    SetEffort,
    SetMaxOutput,
    SetModel,
    ShortenContent,
    Warn,
)
from underspend.core.plan import Decision, Plan
from underspend.gateway.entries import decision_rows, effect_rows, new_id, open_row
from underspend.gateway.worlds import Effect

CALL = Call(
    id="c1",
    time=1_795_160_000_000_000,
    provider="anthropic",
    endpoint="messages",
    model="claude-opus-5-5",
    max_output=10**12,
    prompt_tokens=1000,
    identity=Identity(session="s" * 500, role=Role.MAIN),
    blocks=(Block(Section.MESSAGES, "text", "user", b"d", 1, 1),),
)


def decided(edit, **more):
    return Decision(**{"strategy": "s", "edit": edit, "applied": True, "before": 2, "after": 1, **more})


def test_names_are_short_and_differ():
    assert len({new_id() for _ in range(1000)}) == 1000
    assert len(new_id()) == 16


def test_values_fit_their_columns():
    row = open_row(Plan(asked=CALL, call=CALL), "upstream")
    assert len(row["session"]) == 128
    assert row["max_output"] == 2**31 - 1


def test_every_edit_is_told_in_words():
    edits = [
        SetModel("m", "why"),
        SetBreakpoint(0, "1h", "why"),
        ReplaceContent(0, "text of the user", 3, "why"),
        ShortenContent(0, 1, 1, 3, "why"),
        DropMessages(1, 2, "why"),
        SetMaxOutput(9, "why"),
        SetEffort("low", "why"),
        Warn("why"),
        Refuse(RefusalKind.BUDGET, "why"),
    ]
    rows = decision_rows(Plan(asked=CALL, call=CALL, decisions=tuple(map(decided, edits))))
    assert [row["detail"] for row in rows] == [
        "model → m",
        "breakpoint none → 1h on block 1 (user)",
        "block 1 (user): 1 tokens → a note of 3",
        "block 1 (user): 1 tokens → 3 of its ends",
        "messages 1 to 2 left out: 0 blocks, 0 tokens",
        f"max_tokens {CALL.max_output} → 9",
        "effort none → low",
        None,
        None,
    ]
    assert "text of the user" not in repr(rows)


def test_what_is_done_again_is_not_told_again():
    plan = Plan(asked=CALL, call=CALL, decisions=(decided(Warn("a"), again=True), decided(Warn("b"))))
    assert [(row["n"], row["why"]) for row in decision_rows(plan)] == [(0, "b")]


def test_effects_are_rows():
    assert effect_rows("c", [Effect("s", -5)]) == [{"call_id": "c", "strategy": "s", "saved_pico": -5}]
