import pytest

from integrations.alerts.servers import OK, T0, alert, http
from underspend.config.alerts import alerts_from
from underspend.core.errors import ConfigError
from underspend.integrations.alerts.desktop import Desktop
from underspend.integrations.alerts.email import Email
from underspend.integrations.alerts.places import places_of
from underspend.integrations.alerts.slack import Slack
from underspend.integrations.alerts.webhook import SIGNATURE, Webhook, verify

HOOK = {"name": "h", "kind": "webhook", "url": "env:URL", "secret": "env:SECRET"}
SLACK = {"name": "s", "kind": "slack", "url": "env:URL"}
MAIL = {"name": "m", "kind": "email", "host": "h", "sender": "a@b", "to": ["c@d"]}


def places(*tables, **environ):
    return places_of(alerts_from({"alerts": {"to": list(tables)}}, "here").to, environ)


def test_each_kind_has_its_sender():
    made = places(HOOK, SLACK, {"name": "d", "kind": "desktop"}, MAIL)
    assert [type(place.sender) for place in made] == [Webhook, Slack, Desktop, Email]


def test_a_secret_is_looked_up_for_each_delivery():
    environ = {"SECRET": "one"}
    with http(OK) as server:
        environ["URL"] = f"http://127.0.0.1:{server.port}/"
        (place,) = places_of(alerts_from({"alerts": {"to": [HOOK]}}, "here").to, environ)
        place.sender.send(alert(), T0)
        environ["SECRET"] = "two"
        place.sender.send(alert(), T0)
    first, second = server.requests
    assert verify(first.header(SIGNATURE), first.body, "one", T0 // 10**6)
    assert verify(second.header(SIGNATURE), second.body, "two", T0 // 10**6)


def test_a_secret_that_is_missing_is_an_error_when_something_is_sent():
    (place,) = places({**HOOK, "url": "http://127.0.0.1:9/"})
    with pytest.raises(ConfigError, match=r"\[\[alerts.to\]\] h secret: the variable SECRET is not set"):
        place.sender.send(alert(), T0)


@pytest.mark.parametrize("url", ["http://hooks.example.com/T0ken", "T0ken"])
def test_an_address_behind_a_reference_is_checked_too_and_not_repeated(url):
    (place,) = places(SLACK, URL=url)
    with pytest.raises(ConfigError) as error:
        place.sender.send(alert(), T0)
    assert "T0ken" not in str(error.value)
