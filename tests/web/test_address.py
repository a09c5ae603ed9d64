import pytest

from underspend.config import load
from underspend.web.address import base_url


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:4100"), ("0.0.0.0", "http://127.0.0.1:4100"), ("::", "http://[::1]:4100")],
)
def test_where_the_gateway_is_reached(tmp_path, host, url):
    assert base_url(load(home=tmp_path, flags={"gateway.host": host}, environ={})) == url
