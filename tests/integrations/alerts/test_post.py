import socket

import pytest

from integrations.alerts.servers import OK, drips, hangs_up, http, never, says, tunnel
from underspend.integrations.alerts import post as posting
from underspend.integrations.alerts.post import post
from underspend.integrations.alerts.sending import NotSentError


def send(server, scheme="http", host="127.0.0.1", path="/hook?token=t0ken", seconds=5.0):
    post(f"{scheme}://{host}:{server.port}{path}", b'{"a":1}', {"x-one": "1"}, seconds=seconds)


def failure(server, **more):
    with pytest.raises(NotSentError) as error:
        send(server, **more)
    assert "t0ken" not in str(error.value)
    assert "secret words" not in str(error.value)
    return error.value


def test_a_body_arrives_with_its_headers():
    with http(OK) as server:
        send(server)
    (asked,) = server.requests
    assert asked.head.startswith("POST /hook?token=t0ken HTTP/1.1\r\n")
    assert (asked.body, asked.header("x-one")) == (b'{"a":1}', "1")
    assert asked.header("host") == f"127.0.0.1:{server.port}"


def test_any_2xx_will_do():
    with http(says("204 No Content", body=b"")) as server:
        send(server)


@pytest.mark.parametrize(
    ("answer", "problem", "again"),
    [
        ("500 Oops", "127.0.0.1 answers 500", True),
        ("503 Later", "127.0.0.1 answers 503", True),
        ("429 Slow down", "127.0.0.1 answers 429", True),
        ("408 Late", "127.0.0.1 answers 408", True),
        ("400 Bad", "127.0.0.1 answers 400", False),
        ("404 Gone", "127.0.0.1 answers 404", False),
    ],
)
def test_a_refusal_is_told_by_its_number_and_whether_to_try_again(answer, problem, again):
    with http(says(answer)) as server:
        error = failure(server)
    assert (str(error), error.again) == (problem, again)


@pytest.mark.parametrize(("said", "after"), [("7", 7), ("99999", 300), ("-1", 0), ("soon", 0), ("9" * 30, 0)])
def test_retry_after_is_heeded_within_reason(said, after):
    with http(says("503 Later", f"retry-after: {said}")) as server:
        assert failure(server).after == after


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Elsewhere", "308 Moved"])
def test_a_redirect_is_not_followed(status):
    with http(OK) as elsewhere, http(says(status, f"location: http://127.0.0.1:{elsewhere.port}/")) as server:
        error = failure(server)
        assert (str(error), error.again) == (f"127.0.0.1 answers {status[:3]}; redirects are not followed", False)
        assert elsewhere.requests == []


def test_a_server_that_says_nothing_is_given_up():
    with http(never) as server:
        error = failure(server, seconds=0.3)
    assert (str(error), error.again) == ("127.0.0.1: no answer within 0.3 s", True)


def test_a_server_that_answers_byte_by_byte_is_given_up_too():
    with http(drips) as server:
        error = failure(server, seconds=0.5)  # the server would take eight minutes
    assert (str(error), error.again) == ("127.0.0.1: no answer within 0.5 s", True)


def test_a_server_that_hangs_up_is_tried_again():
    with http(hangs_up) as server:
        assert failure(server).again


def test_what_is_no_web_server_is_said_without_its_words():
    with http(b"secret words SSH-2.0\r\n") as server:
        error = failure(server)
    assert str(error) == "127.0.0.1: it does not answer as a web server does"


def test_nobody_there_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotSentError, match=r"127\.0\.0\.1: nothing listens there") as error:
        post(f"http://127.0.0.1:{port}/", b"", {})
    assert error.value.again


@pytest.mark.usefixtures("trusted")
def test_https_arrives():
    with http(OK, tls=True) as server:
        send(server, scheme="https")
    assert server.requests[0].body == b'{"a":1}'


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_name_is_not_accepted():
    with http(OK, tls=True) as server:
        assert "not valid for 'localhost'" in str(failure(server, scheme="https", host="localhost"))
        assert server.requests == []


def test_a_certificate_of_nobody_is_not_accepted():
    with http(OK, tls=True) as server:
        error = failure(server, scheme="https", host="localhost")
        assert server.requests == []
    assert str(error).startswith("localhost: its certificate is not accepted (")
    assert not error.again


def test_a_server_without_tls_gets_nothing():
    with http(OK) as server:
        error = failure(server, scheme="https", host="localhost", seconds=2.0)
        assert server.requests == []
    assert error.again


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1", "::ffff:169.254.1.1"]
)
def test_addresses_of_the_machines_surroundings_are_refused(monkeypatch, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = [(family, socket.SOCK_STREAM, 0, "", (address, 443))]
    monkeypatch.setattr(posting.socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(NotSentError, match="not sent to") as error:
        post("https://metadata.example.com/", b"", {})
    assert not error.value.again


def test_a_name_for_this_machine_that_leads_elsewhere_is_refused(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("10.0.0.1", 80))]
    monkeypatch.setattr(posting.socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(NotSentError, match="not sent to"):
        post("http://localhost/", b"", {})


def test_a_name_nobody_knows_is_tried_again(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror

    monkeypatch.setattr(posting.socket, "getaddrinfo", unknown)
    with pytest.raises(NotSentError, match=r"hooks\.example\.com: its name is not known") as error:
        post("https://hooks.example.com/", b"", {})
    assert error.value.again


def test_the_environments_proxy_is_asked_for_https(monkeypatch):
    with http(says("403 No")) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(NotSentError, match=r"hooks\.example\.com"):
            post("https://hooks.example.com/", b"", {}, seconds=2.0)
    assert proxy.requests[0].head.startswith("CONNECT hooks.example.com:443 ")


@pytest.mark.usefixtures("trusted")
def test_https_goes_through_a_proxys_tunnel_with_its_certificate_checked(monkeypatch):
    with http(tunnel) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        post("https://upstream.test/", b"through", {}, seconds=5.0)
        with pytest.raises(NotSentError, match=r"not valid for 'other\.test'"):
            post("https://other.test/", b"through", {}, seconds=5.0)
