import re
from html.parser import HTMLParser

from reports.whatif.results import idle, rich, trying
from underspend.reports.whatif.html import html


class Balance(HTMLParser):
    """Every element that is opened is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_it_is_one_whole_page_that_fetches_nothing():
    page = html(rich())
    found = Balance()
    found.feed(page)
    assert found.open == []
    assert {"svg", "rect", "table", "h1"} <= found.seen
    assert not re.search(r"(src|href)=|url\(|@import", page)


def test_names_are_escaped():
    assert "blog&lt;b&gt;" in html(rich())
    assert "blog<b>" not in html(rich())


def test_the_chart_says_what_it_shows():
    assert 'aria-label="as recorded $' in html(rich())
    assert "<svg" not in html(idle())


def test_findings_have_their_fix():
    assert "underspend config set strategies.trim.state on" in html(trying())


def test_the_policy_can_be_copied():
    assert "<pre>[strategies.lifetime]" in html(rich())
