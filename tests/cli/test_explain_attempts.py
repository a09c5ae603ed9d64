"""`underspend explain` of a call that was sent to more than one provider."""

import json

import pytest

from reports.ledger_rows import add_call


@pytest.fixture
def chain(ledger):
    add_call(ledger, "first111", "2026-11-20T10:00:00+00:00", (0, 0, 0, 0, 0), outcome="error", status=529, cost_pico=0)
    add_call(ledger, "second22", "2026-11-20T10:00:01+00:00", (9, 0, 0, 0, 3), attempt_of="first111", provider="openai")


@pytest.mark.parametrize("call", ["first111", "second22"])
def test_all_attempts_are_told_of_whichever_is_asked_for(chain, run, call):
    lines = [line for line in run("explain", call).output.splitlines() if line.startswith("attempt ")]
    assert len(lines) == 2
    assert "error 529" in lines[0]
    assert lines[1].startswith("attempt 2: openai ")
    assert [line.endswith("(this one)") for line in lines] == [call == "first111", call == "second22"]


def test_programs_get_them_too(chain, run):
    found = json.loads(run("explain", "second22", "--json").output)
    assert [each["id"] for each in found["attempts"]] == ["first111", "second22"]


def test_a_call_that_was_sent_once_says_nothing_of_it(filled, run):
    assert "attempt" not in run("explain", "aaaa1111").output
