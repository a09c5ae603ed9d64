import email
import email.policy

import pytest

from integrations.alerts.servers import T0, alert, smtp
from underspend.config.alerts import EmailTo
from underspend.core.alerts import Kind
from underspend.integrations.alerts.email import Email, letter_of
from underspend.integrations.alerts.sending import NotSentError


def place(server=None, **more):
    base = {"name": "m", "host": "127.0.0.1", "port": server.port if server else 25, "security": "none"}
    return EmailTo(**{**base, "sender": "underspend@example.com", "to": ("a@example.com", "b@example.com"), **more})


def send(server, seconds=5.0, **more):
    Email(place(server, **more), lambda: "", seconds=seconds).send(alert(), T0)


def failure(server, **more):
    with pytest.raises(NotSentError) as error:
        send(server, **more)
    assert "hunter2" not in str(error.value)
    return str(error.value), error.value.again


def read(mail):
    return email.message_from_string(mail, policy=email.policy.default)


def test_a_letter_arrives():
    with smtp() as server:
        send(server)
    letter = read(server.mails[0])
    assert (letter["From"], letter["To"]) == ("underspend@example.com", "a@example.com, b@example.com")
    assert letter["Subject"] == "Underspend: warning, loop, s"
    assert letter.get_content().strip() == "Bash failed 5 times in a row. ($1.50, billed)"
    assert letter["Message-ID"] == f"<{alert().id}@underspend.invalid>"
    assert letter["Date"] == "Fri, 15 Jan 2027 08:00:00 +0000"
    assert [line for line in server.lines if line.startswith("rcpt")] == [
        "rcpt TO:<a@example.com>",
        "rcpt TO:<b@example.com>",
    ]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_letter_arrives_over_tls_with_a_login(security):
    with smtp(tls=security) as server:
        send_in(server, security)
    assert len(server.mails) == 1
    assert any(line.startswith("AUTH PLAIN") for line in server.lines)


def send_in(server, security, password="hunter2"):
    said = place(server, security=security, user="u", password="env:P")
    Email(said, lambda: password, seconds=5.0).send(alert(), T0)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_nobody_is_not_accepted(security):
    with smtp(tls=security) as server:
        problem, again = failure(server, security=security)
        assert not any(line.startswith("AUTH") for line in server.lines)
    assert problem.startswith("127.0.0.1: its certificate is not accepted")
    assert not again


def test_a_server_without_starttls_gets_no_letter_and_no_password():
    with smtp() as server:
        with pytest.raises(NotSentError, match="does not offer") as error:
            send_in(server, "starttls")
        assert not error.value.again
        assert not any(line.startswith(("AUTH", "mail")) for line in server.lines)


@pytest.mark.usefixtures("trusted")
def test_a_wrong_password_is_not_tried_again():
    with smtp(tls="tls", login="535 hunter2 is wrong") as server, pytest.raises(NotSentError) as error:
        send_in(server, "tls")
    assert (str(error.value), error.value.again) == ("127.0.0.1 answers 535", False)


@pytest.mark.parametrize(("mailbox", "again"), [("450 later", True), ("550 nobody", False)])
def test_refused_mailboxes_are_told_by_their_number(mailbox, again):
    with smtp(mailbox=mailbox) as server:
        assert failure(server) == (f"127.0.0.1 refuses every mailbox ({mailbox[:3]})", again)


def test_a_letter_that_some_get_is_no_success():
    with smtp(mailbox="550 nobody", only="refused@") as server:
        problem, again = failure(server, to=("a@example.com", "refused@example.com"))
    assert (problem, again) == ("127.0.0.1 refuses 1 of 2 mailboxes", False)


@pytest.mark.parametrize(("greeting", "again"), [("421 busy", True), ("554 no", False)])
def test_a_server_that_turns_us_away_is_told_by_its_number(greeting, again):
    with smtp(greeting=greeting) as server:
        assert failure(server) == (f"127.0.0.1 answers {greeting[:3]}", again)


def test_a_server_that_says_nothing_is_given_up():
    with smtp(slow=True) as server:
        assert failure(server, seconds=0.3) == ("127.0.0.1: no answer within 0.3 s", True)


def test_a_server_that_answers_byte_by_byte_is_given_up_too():
    with smtp(greeting="220 here", dripping=True) as server:
        assert failure(server, seconds=0.5) == ("127.0.0.1: no answer within 0.5 s", True)


def test_nobody_there_is_tried_again():
    with smtp() as server:
        pass
    assert failure(server) == ("127.0.0.1: nothing listens there", True)


def test_nothing_in_an_alert_makes_a_header():
    letter = letter_of(alert("x\r\nBcc: evil@example.com", kind=Kind.BUDGET), place(), T0)
    again = email.message_from_bytes(bytes(letter), policy=email.policy.default)
    assert again["Bcc"] is None
    assert again["Subject"] == "Underspend: warning, budget, x  Bcc: evil@example.com"


def test_text_of_any_kind_can_be_sent():
    letter = letter_of(alert("ü" * 300, words="−$5 … ✓"), place(), T0)
    assert "−$5 … ✓" in email.message_from_bytes(bytes(letter), policy=email.policy.default).get_content()
