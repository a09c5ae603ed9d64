"""Alerts by e-mail: given to an SMTP server over TLS, whose certificate is checked."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from underspend.config.alerts import EmailTo
from underspend.core.alerts import Alert
from underspend.integrations.alerts.sending import NotSentError, Text, headline, message, why

SECONDS = 20.0
_MICROS = 1_000_000
_TEMPORARY = range(400, 500)
_STRANGE = "it hung up, or does not answer as a mail server does"


class Email:
    """Some mailboxes, by way of a server. `password` is looked up for each delivery."""

    def __init__(self, place: EmailTo, password: Text, *, seconds: float = SECONDS) -> None:
        self._place = place
        self._password = password
        self._seconds = seconds

    def send(self, alert: Alert, now: int) -> None:
        """Deliver once. Raises NotSentError, also where a server takes it for some of the mailboxes only; ConfigError.

        What the server said is told by its number alone.
        """
        letter, host = letter_of(alert, self._place, now), self._place.host
        passed = threading.Event()
        try:
            with self._connected(passed) as server:
                refused = server.send_message(letter)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise NotSentError(f"{host} refuses every mailbox ({codes[0]})", again=codes[0] in _TEMPORARY) from None
        except smtplib.SMTPResponseException as error:
            raise _answered(host, error) from None
        except ssl.SSLCertVerificationError as error:
            raise NotSentError(
                f"{host}: its certificate is not accepted ({error.verify_message})", again=False
            ) from None
        except smtplib.SMTPNotSupportedError:
            raise NotSentError(f"{host} does not offer what [[alerts.to]] asks for", again=False) from None
        except (OSError, smtplib.SMTPException) as error:
            # smtplib says of every broken connection that it was closed; what broke it is the error's context.
            broke = error.__context__ if isinstance(error.__context__, OSError) else error
            reason = why(TimeoutError() if passed.is_set() else broke, self._seconds, _STRANGE)
            raise NotSentError(f"{host}: {reason}", again=True) from None
        if refused:
            raise NotSentError(f"{host} refuses {len(refused)} of {len(self._place.to)} mailboxes", again=False)

    @contextlib.contextmanager
    def _connected(self, passed: threading.Event) -> Iterator[smtplib.SMTP]:
        """A connection that is logged in, and cut when time is over."""
        place = self._place
        password = self._password() if place.password else ""
        with self._server() as server, _deadline(server, self._seconds, passed):
            if place.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if place.user:
                server.login(place.user, password)
            yield server

    def _server(self) -> smtplib.SMTP:
        host, port, us = self._place.host, self._place.port, "localhost"
        if self._place.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(host, port, timeout=self._seconds, local_hostname=us, context=context)
        return smtplib.SMTP(host, port, timeout=self._seconds, local_hostname=us)


def letter_of(alert: Alert, place: EmailTo, now: int) -> EmailMessage:
    """The letter. Its id is the alert's, so that a second delivery is known as one."""
    letter = EmailMessage()
    letter["From"] = place.sender
    letter["To"] = ", ".join(place.to)
    letter["Subject"] = headline(alert)
    letter["Date"] = format_datetime(datetime.fromtimestamp(now / _MICROS, UTC))
    letter["Message-ID"] = f"<{alert.id}@underspend.invalid>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(f"{message(alert)}\n")
    return letter


@contextlib.contextmanager
def _deadline(server: smtplib.SMTP, seconds: float, passed: threading.Event) -> Iterator[None]:
    """Cut the connection when time is over: a timeout of a socket begins anew with each byte."""

    def cut() -> None:
        passed.set()
        if server.sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(server.sock, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _answered(host: str, error: smtplib.SMTPResponseException) -> NotSentError:
    return NotSentError(f"{host} answers {error.smtp_code}", again=error.smtp_code in _TEMPORARY)
