from dataclasses import replace

from reports.audit.reports import report
from underspend.audit.explain_diff import Difference, Explained
from underspend.audit.gateway_side import BothSides, Only
from underspend.reports.audit import sections


def text(lines):
    return "\n".join(each.text for each in lines)


def test_places_name_skills_and_servers_only_where_there_are_any():
    made = text(sections.places(report()))
    assert "MCP server" in made
    assert "skill" not in made
    assert "1 of these replies ($0.0216) are sub-agents'" in made


def test_categories_leave_out_what_holds_nothing():
    made = text(sections.categories(report()))
    assert "context overhead" in made
    assert "complex reasoning" not in made


def test_questions():
    made = text(sections.questions(report().questions))
    assert "1. Which routes send the most" in made
    assert "Nothing: a person sat before every session." in made


def test_the_day():
    made = text(sections.day(report()))
    assert "00:00–00:30  reading code" in made


def test_trends_without_two_weeks():
    assert "2026-11: $0.107 so far" in text(sections.trends(report()))


def test_nothing_to_reconcile():
    assert text(sections.reconciliation(report())) == ""


def test_a_comparison_fully_explained_and_one_that_is_not():
    whole = Explained(
        kind="daily",
        ours=3 * 10**12,
        theirs=10**12,
        causes=(Difference(cause="web searches (ccusage: $0)", amount=2 * 10**12, rows=1),),
        tokens={"input_tokens": 0},
    )
    made = text(sections.difference(whole))
    assert made.splitlines()[0] == "Underspend $3.00, ccusage daily $1.00: +$2.00"
    assert "Not explained: $0.00" in made
    assert "Tokens are equal" in made
    odd = Explained(
        kind="daily",
        ours=0,
        theirs=10**12,
        causes=(Difference(cause="not explained: other prices", amount=-(10**12), rows=1),),
        tokens={"input_tokens": 4},
    )
    made = text(sections.difference(odd))
    assert "Not explained: −$1.00" in made
    assert "Tokens are equal" not in made


def test_the_gateway_beside_the_transcripts():
    sides = BothSides(
        since=1,
        both=2,
        transcripts=10**12,
        gateway=2 * 10**12,
        before=Only(what="before the gateway's first call", calls=0, cost=0),
        past=Only(what="past the gateway", calls=3, cost=10**12),
        only_gateway=(Only(what="replies cut before their end", calls=1, cost=10**11, estimated=10**11),),
    )
    made = text(sections.gateway(replace(report(), gateway=sides)))
    assert "only in transcripts: past the gateway" in made
    assert "before the gateway" not in made
    assert "only in the gateway: replies cut before their end (estimated)" in made
    assert made.split("total")[1].split()[:3] == ["6", "$2.00", "$2.10"]
    assert "$0.100 that only the gateway saw was billed too" in made
    assert text(sections.gateway(report())) == ""
