import pytest

from reports.ledger_rows import add_call, add_session
from underspend.reports.filters import Filter
from underspend.reports.recent import recent


@pytest.mark.parametrize(
    ("served", "sent", "asked"), [("m", "x", "y"), (None, "m", "y"), (None, None, "m")], ids=["served", "sent", "asked"]
)
def test_the_model_is_the_one_that_answered_or_would_have(ledger, served, sent, asked):
    add_call(ledger, "a", 1, model_served=served, model_sent=sent, model_asked=asked)
    assert [call.model for call in recent(ledger, where=Filter(model="m"))] == ["m"]


def test_a_call_without_a_project_has_its_sessions(ledger):
    add_session(ledger, "s-one", "blog")
    add_call(ledger, "a", 1, project=None)
    add_call(ledger, "b", 2, project="own")
    assert [call.project for call in recent(ledger)] == ["own", "blog"]
    assert [call.id for call in recent(ledger, where=Filter(project="blog"))] == ["a"]
