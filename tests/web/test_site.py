import pytest

from underspend.web.http import Request
from underspend.web.site import BadQueryError, filter_of, limit_of


def request(**query):
    return Request(path="/_/", query=query)


def test_the_address_clients_use(site):
    assert site.url == "http://127.0.0.1:4100"
    site.status.listening = "127.0.0.1:4200"
    assert site.url == "http://127.0.0.1:4200"
    site.status.listening = ""
    assert site.url == "http://127.0.0.1:4100"


def test_a_filter_from_a_query(site):
    found = filter_of(site, request(since="2026-11-20", until="2026-11-20", model="m"))
    assert found.until - found.since == 86_400 * 10**6
    assert (found.model, found.project) == ("m", None)


def test_limits():
    assert limit_of(request(limit="7"), 5) == 7
    assert limit_of(request(), 5) == 5
    with pytest.raises(BadQueryError):
        limit_of(request(limit="-1"), 5)
