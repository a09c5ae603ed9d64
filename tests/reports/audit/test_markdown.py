from reports.audit.reports import empty_report, report
from underspend.reports.audit.markdown import escaped, markdown, table


def test_the_report_as_markdown():
    made = markdown(report())
    assert made.startswith("# $0.107 + unpriced in Claude Code, 2026-11-20 to 2026-11-21\n")
    assert "### Prefixes written again after a pause: $0.110 a month" in made
    assert "```\nexport ENABLE_PROMPT_CACHING_1H=1\nclaude\n```" in made
    assert "## By category" in made
    assert made.endswith("\n")


def test_nothing_at_all():
    assert "None." in markdown(empty_report())


def test_marks_are_escaped():
    assert escaped("a|b_c\n<d>") == r"a\|b\_c \<d\>"
    assert table(["a", "b"], [["x|y", "1"]]).splitlines()[-1] == r"| x\|y | 1 |"
