from reports.whatif.results import idle, rich, trying
from underspend.reports.audit.layout import WIDTH
from underspend.reports.whatif.text import text


def lines(made):
    return [line.text for line in text(made)]


def test_it_fits_the_width_but_for_what_is_to_be_copied():
    assert max(len(line) for line in lines(rich())) <= WIDTH


def test_the_policy_can_be_copied():
    found = lines(rich())
    at = found.index("This policy, for config.toml:")
    assert found[at + 1 : at + 3] == ["  [strategies.lifetime]", '  state = "on"']


def test_findings_come_with_what_to_do():
    found = lines(trying())
    assert "What else would have saved money (these overlap: do not add them up)" in found
    assert "  underspend config set strategies.trim.state on" in found


def test_a_policy_that_does_nothing_has_no_tables():
    found = lines(idle())
    assert "By project" not in found
    assert found[0].endswith("this policy would have changed nothing of it")
