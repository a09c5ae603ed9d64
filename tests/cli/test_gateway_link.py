import http.server
import threading

import pytest

from underspend.cli.gateway_link import events, get_json, post_json
from underspend.config import load
from underspend.core.errors import UnreachableError


class Gateway(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        key = self.headers.get("x-underspend-key")
        bodies = {
            "/json": f'{{"key": "{key}", "n": 0.1}}'.encode(),
            "/events": b': hi\n\nevent: call\ndata: {"a": 1}\n\n',
        }
        body = bodies.get(self.path)
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write(body or b"")

    def do_POST(self):
        said = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200 if self.path == "/json" else 404)
        self.end_headers()
        self.wfile.write(b'{"got": %b, "key": "%b"}' % (said, self.headers["x-underspend-key"].encode()))

    def log_message(self, *_):
        pass


@pytest.fixture
def settings(home):
    server = http.server.HTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield load(home=home, flags={"gateway.port": server.server_port, "gateway.access_key": "secret"}, environ={})
    server.shutdown()
    server.server_close()
    thread.join()


def test_json_can_be_posted(settings):
    assert post_json(settings, "/json", {"a": None}) == {"got": {"a": None}, "key": "secret"}
    with pytest.raises(UnreachableError, match="answers 404"):
        post_json(settings, "/nothing", {})


def test_json_with_the_access_key_and_exact_numbers(settings):
    assert str(get_json(settings, "/json")) == "{'key': 'secret', 'n': Decimal('0.1')}"


def test_events_until_the_gateway_stops(settings):
    stream = events(settings, "/events")
    assert next(stream) == {"a": 1}
    with pytest.raises(UnreachableError, match="the gateway stopped"):
        next(stream)


def test_another_program_on_the_port_is_told_apart(settings):
    with pytest.raises(UnreachableError, match="it answers 404 to /other; perhaps it is another program"):
        get_json(settings, "/other")


def test_nobody_there(home):
    with pytest.raises(UnreachableError, match=r"no gateway runs there. `underspend up` starts it."):
        get_json(load(home=home, flags={"gateway.port": 1}, environ={}), "/json")
