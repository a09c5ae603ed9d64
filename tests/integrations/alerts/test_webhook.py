import json

from hypothesis import given
from hypothesis import strategies as st

from integrations.alerts.servers import OK, T0, alert, http
from underspend.integrations.alerts.webhook import ALERT_ID, SIGNATURE, TOLERANCE, Webhook, body_of, signature, verify

NOW = T0 // 10**6


def test_a_receiver_can_verify_what_it_gets():
    with http(OK) as server:
        Webhook(lambda: f"http://127.0.0.1:{server.port}/", lambda: "s3cret").send(alert(), T0)
    (asked,) = server.requests
    assert verify(asked.header(SIGNATURE), asked.body, "s3cret", NOW)
    assert asked.header(ALERT_ID) == alert().id
    assert asked.header("content-type") == "application/json"
    assert json.loads(asked.body) == {
        "version": 1,
        "id": alert().id,
        "kind": "loop",
        "subject": "s",
        "severity": "warning",
        "words": "Bash failed 5 times in a row.",
        "usd": "1.5",
        "evidence": "billed",
        "key": "loop|s",
        "at": T0,
        "held_back": 0,
    }


def test_the_signature_is_the_one_that_is_documented():
    """Computed with another program: printf '1800000000.{}' | openssl dgst -sha256 -hmac k."""
    assert signature(b"{}", "k", 1_800_000_000) == (
        "t=1800000000,v1=cdd93e246b17200236861b3061e5be1099fa09298de6cebf58e528db933f5c62"
    )


@given(st.binary(), st.binary(), st.text(min_size=1), st.text(min_size=1), st.integers(0, 10**12))
def test_only_the_same_body_and_secret_verify(body, other, secret, another, at):
    header = signature(body, secret, at)
    assert verify(header, body, secret, at)
    assert verify(header, other, secret, at) is (other == body)
    assert verify(header, body, another, at) is (another == secret)


def test_an_old_signature_is_refused_and_so_is_one_of_the_future():
    header = signature(b"", "k", NOW)
    assert verify(header, b"", "k", NOW + TOLERANCE)
    assert not verify(header, b"", "k", NOW + TOLERANCE + 1)
    assert not verify(header, b"", "k", NOW - TOLERANCE - 1)


def test_a_time_that_was_changed_is_refused():
    header = signature(b"", "k", NOW)
    assert not verify(header.replace(str(NOW), str(NOW + 1)), b"", "k", NOW)


@given(st.text())
def test_what_is_no_signature_is_refused_without_an_error(header):
    assert not verify(header, b"", "k", NOW)


def test_text_of_any_kind_is_ascii_on_the_wire():
    assert body_of(alert("\ud800 ü", words="−$5 … ✓")).isascii()
