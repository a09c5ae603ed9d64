import json

import pytest

from underspend.core.call import Call
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
)
from underspend.core.plan import Decision, Plan
from underspend.formats import anthropic_request
from underspend.formats.anthropic_blocks import Anatomist
from underspend.gateway.edits_shown import details

USE = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "one\ntwo\nthree\nfour"}
MESSAGES = [
    {"role": "user", "content": "look"},
    {"role": "assistant", "content": [USE]},
    {"role": "user", "content": [RESULT]},
]
RAW = json.dumps({"model": "m", "system": "be brief", "max_tokens": 9, "messages": MESSAGES}).encode()


def told(*edits, raw=None, applied=True):
    asked = anthropic_request.read(RAW)
    blocks = Anatomist().anatomy(tools=b"", system=asked.system, messages=asked.messages).blocks
    call = Call(
        id="c", time=0, provider="anthropic", endpoint="messages", model="m", max_output=9, effort="high", blocks=blocks
    )
    decisions = tuple(Decision(strategy="s", edit=edit, applied=applied, before=2, after=1) for edit in edits)
    return list(details(Plan(asked=call, call=call, decisions=decisions), raw))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (SetModel("n", "why"), "model → n"),
        (SetModel("n", "why", "openai"), "model → openai/n"),
        (SetBreakpoint(0, "5m", "why"), "breakpoint none → 5m on block 1 (system)"),
        (ReplaceContent(3, "gone", 1, "why"), "block 4 (Bash result): 29 tokens → a note of 1"),
        (ShortenContent(3, 3, 3, 2, "why"), "block 4 (Bash result): 29 tokens → 2 of its ends"),
        (DropMessages(1, 2, "why"), "messages 1 to 2 left out: 2 blocks, 48 tokens"),
        (SetMaxOutput(4, "why"), "max_tokens 9 → 4"),
        (SetEffort("low", "why"), "effort high → low"),
        (Refuse(RefusalKind.BUDGET, "why"), None),
    ],
)
def test_before_and_after_in_numbers(edit, said) -> None:
    assert told(edit) == [said]


def test_a_second_edit_is_told_from_what_the_first_made() -> None:
    assert told(SetMaxOutput(4, "a"), SetMaxOutput(3, "b")) == ["max_tokens 9 → 4", "max_tokens 4 → 3"]
    assert told(SetMaxOutput(4, "a"), SetMaxOutput(3, "b"), applied=False)[1] == "max_tokens 9 → 3"


def test_with_the_request_stored_the_words_are_shown_too() -> None:
    (replaced,) = told(ReplaceContent(3, "gone", 1, "why"), raw=RAW)
    assert replaced.splitlines()[1:] == ["- one", "- two", "- three", "- four", "+ gone"]
    (short,) = told(ShortenContent(3, 3, 4, 2, "why"), raw=RAW)
    assert short.splitlines()[1:] == [
        "  … 1 lines stay",
        "- two",
        "- three",
        "+ [… 11 characters left out …]",
        "  … 1 lines stay",
    ]
    (dropped,) = told(DropMessages(0, 1, "why"), raw=RAW)
    assert dropped.splitlines()[1:] == ["- look"]
    assert told(SetMaxOutput(4, "a"), raw=RAW) == ["max_tokens 9 → 4"]


def test_long_texts_are_cut() -> None:
    (replaced,) = told(ReplaceContent(3, "x" * 2_100, 1, "why"), raw=RAW)
    assert replaced.splitlines()[-1] == "+ " + "x" * 2_000
    (many,) = told(ReplaceContent(3, "x\n" * 2_100, 1, "why"), raw=RAW)
    assert many.splitlines()[-1] == "+ … 1,100 lines more"
