from dataclasses import replace

import pytest

from reports.whatif.results import better, idle, rich
from underspend.audit.whatif import Saving
from underspend.reports.whatif import sections

DOLLAR = 10**12


def test_the_headline_says_saved_or_dearer_or_nothing():
    assert "saved (" in sections.headline(better())
    assert sections.headline(idle()).endswith("would have changed nothing of it")
    worse = replace(better().outcome, saved=Saving(-DOLLAR, -DOLLAR, -DOLLAR))
    assert "$1.00 dearer (" in sections.headline(replace(better(), outcome=worse))


def test_how_sure_it_is_is_said_with_what_the_record_missed():
    said = sections.bounds(rich())
    assert "Estimated: between" in said
    assert "were billed anew" in said


def test_the_waterfall_has_a_row_for_the_record_each_strategy_and_the_policy():
    columns, rows = sections.waterfall(rich())
    assert [row[0] for row in rows] == ["as recorded", "lifetime", "trim", "with this policy"]
    assert all(len(row) == len(columns) for row in rows)
    assert rows[1][1].startswith("+$")
    assert rows[2][1].startswith("−$")


def test_groups_and_findings_are_rows():
    assert [row[0] for row in sections.projects(rich())[1]] == ["shop", "blog<b>"]
    assert [row[0] for row in sections.hurt(rich())[1]] == ["s-2"]
    assert sections.more(idle())[1] == []
    assert all(len(row) == 4 for row in sections.more(rich())[1])


def test_the_verdict_counts_sessions_that_were_hurt():
    assert sections.verdict(better()) == "No session would have been dearer."
    assert sections.verdict(rich()).startswith("1 of 2 sessions would have been dearer, 1 of them by more than 2 %")


def test_notes_say_what_is_taken_for_granted_and_what_is_left_out():
    said = " ".join(sections.notes(idle()))
    assert "found nothing to do: nothing." in said
    assert "only refuse calls: limit." in said
    assert "add --each" in said
    assert "on a subscription they are only an equivalent" in said
    outcome = replace(better().outcome, faults={"trim": {"KeyError: 3": 2}}, unpriced={"claude-x": 4})
    said = " ".join(sections.notes(replace(better(), outcome=outcome)))
    assert "Taken for granted: replies are the same" in said
    assert "trim failed in 2 calls, which went on without it: KeyError: 3." in said
    assert "claude-x (4)" in said


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(1, 3, "33.3 %"), (-1, 3, "−33.3 %"), (0, 3, "0.0 %"), (-1, 10**6, "0.0 %"), (1, 0, "—"), (2, 3, "66.7 %")],
)
def test_shares_have_one_decimal(part, whole, said):
    assert sections.percent(part, whole) == said


def test_a_saving_is_said_with_its_range_where_it_has_one():
    assert sections.span(Saving(DOLLAR, DOLLAR, DOLLAR)) == "$1.00"
    assert sections.span(Saving(0, DOLLAR, 2 * DOLLAR)) == "$1.00 ($0.00 to $2.00)"


def test_changes_have_their_sign():
    assert [sections.signed(amount) for amount in (DOLLAR, -DOLLAR, 0)] == ["+$1.00", "−$1.00", "$0.00"]


def test_numbers_of_rows_have_their_commas():
    columns, rows = sections.evidence([{"model": "a", "saved": "$1.00", "calls": 5}])
    assert columns == [("model", "l"), ("saved", "r"), ("calls", "r")]
    assert rows == [["a", "$1.00", "5"]]
    assert [sections.cell(value) for value in (25_000, "$1.00")] == ["25,000", "$1.00"]
