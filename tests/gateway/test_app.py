"""Who is let in."""

import base64
import json
from contextlib import closing

import pytest
from replies import BODY, http_json, message

from underspend.gateway.app import Door


@pytest.mark.parametrize("host", ["localhost:4100", "127.0.0.1:4100", "[::1]:4100", "LOCALHOST", "box.lan:80", ""])
def test_known_hosts_come_in(host):
    assert Door(allowed_hosts=frozenset({"box.lan"})).refusal({"host": host}) is None


@pytest.mark.parametrize("host", ["evil.example:4100", "127.0.0.1.evil.example", "localhost.evil.example", "[::2]"])
def test_other_host_names_do_not(host):
    assert "allowed_hosts" in Door().refusal({"host": host})


def test_pages_of_other_sites_do_not_come_in():
    assert Door().refusal({"host": "localhost", "sec-fetch-site": "cross-site"})
    assert Door().refusal({"host": "localhost", "sec-fetch-site": "same-origin"}) is None


def test_an_access_key_is_demanded_when_set():
    door = Door(access_key="s3cret")
    assert door.refusal({"host": "localhost"})
    assert door.refusal({"host": "localhost", "x-underspend-key": "wrong"})
    assert door.refusal({"host": "box.lan", "x-underspend-key": "s3cret"}) is None
    password = base64.b64encode(b"me:s3cret").decode()
    assert door.refusal({"host": "box.lan", "authorization": f"Basic {password}"}) is None
    assert door.refusal({"host": "box.lan", "authorization": "Basic s3cret"})
    assert door.refusal({"host": "box.lan", "authorization": "Bearer s3cret"})


def test_a_browser_is_asked_for_the_key(start, upstream):
    gateway = start(upstream.url, config='[gateway]\naccess_key = "s3cret"\n')
    with closing(gateway.connection()) as connection:
        connection.request("GET", "/_/")
        response = connection.getresponse()
        assert (response.status, response.headers["www-authenticate"]) == (401, 'Basic realm="underspend"')
        response.read()
        connection.request("GET", "/_/health", headers={"authorization": "Basic OnMzY3JldA=="})
        assert connection.getresponse().status == 200


def test_a_strange_host_gets_a_403_and_upstream_hears_nothing(gateway, upstream):
    upstream.received.clear()
    status, _, body = gateway.post("/v1/messages", BODY, {"host": "evil.example"})
    assert status == 403
    assert json.loads(body)["error"]["type"] == "permission_error"
    assert not upstream.received


def test_a_browser_at_the_root_is_sent_to_the_page(gateway, upstream):
    with closing(gateway.connection()) as connection:
        connection.request("GET", "/", headers={"accept": "text/html,*/*"})
        response = connection.getresponse()
        assert (response.status, response.headers["location"]) == (302, "/_/")


def test_a_body_over_the_limit_is_a_413_and_is_not_forwarded(start, upstream):
    gateway = start(upstream.url, config="[gateway]\nbody_limit_mb = 1\n")
    upstream.received.clear()
    big = {**BODY, "messages": [{"role": "user", "content": "x" * 1_100_000}]}
    status, _, body = gateway.post("/v1/messages", big)
    assert status == 413
    assert "body_limit_mb" in json.loads(body)["error"]["message"]
    assert not upstream.received
    upstream.script = lambda received: iter([http_json(message())])
    assert gateway.post("/v1/messages", BODY)[0] == 200
