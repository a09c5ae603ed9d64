from reports.audit.reports import report
from underspend.audit.explain_diff import Difference, Explained
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
