"""The overview of a gateway that tells and pauses."""

import re

from web.asgi_client import ask
from web.pages.test_overview import words

AT = 1_795_192_200_000_000
TOLD = {
    "recent": [
        {
            "at": AT,
            "kind": "rate_limit",
            "severity": "warning",
            "subject": "storm, <b>session x",
            "words": "The rate limit storm is reached.",
            "usd": None,
            "evidence": None,
        },
        *[
            {
                "at": AT - number,
                "kind": "loop",
                "severity": "critical",
                "subject": "session x",
                "words": f"Bash failed {number} times.",
                "usd": "1.5",
                "evidence": "estimated",
            }
            for number in range(1, 10)
        ],
    ],
    "places": [],
}
PAUSES = [
    {"session": "<b>12345678", "agent": None, "kind": "loop", "words": "Bash failed.", "since": AT, "until": AT},
    {"session": None, "agent": None, "kind": "velocity", "words": "Too fast.", "since": AT, "until": AT},
]


def test_what_was_told_is_listed_newest_first_and_no_more_than_fits(site, dashboard, filled):
    site.status.alerts = lambda: TOLD
    page = ask(dashboard, "/_/").text
    assert "20 Nov 16:30 rate limit storm, &lt;b&gt;session x The rate limit storm is reached. —" in words(page)
    assert len(re.findall(r"Bash failed \d times\.", page)) == 5
    assert '<td class="bad">loop</td>' in page
    assert '<span class="guess">$1.50</span>' in page


def test_what_is_paused_is_a_warning_with_the_way_on(site, dashboard, filled):
    site.status.pauses = lambda: PAUSES
    page = words(ask(dashboard, "/_/").text)
    assert "paused until 16:30: session &lt;b&gt;12345. Bash failed. underspend alerts resume &lt;b&gt;12345" in page
    assert "paused until 16:30: all calls. Too fast. underspend alerts resume --all" in page


def test_without_any_of_it_there_is_no_panel(dashboard, filled):
    page = ask(dashboard, "/_/").text
    assert 'id="alerts"' not in page
    assert 'data-part="alerts"' in page
