import json

import pytest

from integrations.alerts.servers import OK, T0, alert, http, says
from underspend.core.alerts import Severity
from underspend.integrations.alerts.sending import NotSentError
from underspend.integrations.alerts.slack import Slack, body_of


def test_a_channel_gets_text():
    with http(OK) as server:
        Slack(lambda: f"http://127.0.0.1:{server.port}/services/T0").send(alert(again=3), T0)
    assert json.loads(server.requests[0].body) == {
        "text": ":warning: *Underspend: warning, loop, s*\n"
        "Bash failed 5 times in a row. ($1.50, billed) 3 more of these were held back."
    }


def test_nothing_in_an_alert_is_a_mention_a_link_or_markup():
    text = json.loads(body_of(alert("<!channel>", words="<https://x|y> & *b* `c`")))["text"]
    assert "<" not in text
    assert "&lt;!channel&gt;" in text
    assert text.count("*") == 2
    assert "`" not in text


@pytest.mark.parametrize("severity", list(Severity))
def test_every_severity_has_its_mark(severity):
    assert json.loads(body_of(alert(severity=severity)))["text"].startswith(":")


def test_a_channel_that_is_gone_is_an_error_without_the_address():
    with http(says("404 no_team")) as server, pytest.raises(NotSentError) as error:
        Slack(lambda: f"http://127.0.0.1:{server.port}/services/T0").send(alert(), T0)
    assert str(error.value) == "127.0.0.1 answers 404"
