from underspend.reports.entry import entry
from underspend.web.pages.rows import call_row


def test_a_row_says_where_its_call_is_and_how_it_is_known(site):
    row = call_row(entry({"id": "a", "started_at": 0, "evidence": "estimated", "unpriced": "m"}), site)
    assert (row["href"], row["estimated"], row["unpriced"], row["paid"]) == ("/_/calls/a", True, True, "unpriced")
