from reports.whatif.results import idle, rich, trying
from underspend.reports.whatif.markdown import markdown


def test_tables_and_headings():
    found = markdown(rich())
    assert found.startswith("# $")
    assert "## By project" in found
    assert "| blog\\<b\\> |" in found
    assert "```toml\n[strategies.lifetime]" in found
    assert "## Notes" in found


def test_findings_have_their_rows_and_fixes():
    found = markdown(trying())
    assert "## What else would have saved money" in found
    assert "```\nunderspend config set strategies.trim.state on\n```" in found


def test_a_policy_that_does_nothing_is_short():
    assert "## By project" not in markdown(idle())
