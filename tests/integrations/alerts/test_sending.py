import socket
import ssl

import pytest

from integrations.alerts.servers import alert
from underspend.core.alerts import Kind
from underspend.integrations.alerts.sending import NotSentError, headline, message, shape, why


def test_a_headline_says_how_bad_what_and_whose():
    assert headline(alert("project shop", kind=Kind.RATE_LIMIT)) == "Underspend: warning, rate limit, project shop"


def test_a_message_says_how_its_dollars_are_known():
    assert message(alert()) == "Bash failed 5 times in a row. ($1.50, billed)"
    assert message(alert(dollars=None)) == "Bash failed 5 times in a row."


def test_dollars_are_exact_text():
    assert shape(alert(dollars=1))["usd"] == "0.000000000001"
    assert shape(alert(dollars=10**17))["usd"] == "100000"
    assert shape(alert(dollars=None, evidence=None))["usd"] is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "no answer within 2 s"),
        (ConnectionRefusedError(), "nothing listens there"),
        (socket.gaierror(), "its name is not known"),
        (ssl.SSLError(), "no secure connection"),
        (OSError(104, "Connection reset by peer"), "Connection reset by peer"),
        (OSError(), "else"),
        (ValueError("what the server said"), "else"),
    ],
)
def test_a_problem_is_told_in_our_words(error, words):
    assert why(error, 2.0, "else") == words


def test_nobody_makes_us_wait_longer_than_five_minutes():
    assert NotSentError("x", again=True, after=10**9).after == 300
