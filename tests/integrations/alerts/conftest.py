import pytest

from integrations.alerts.servers import PEM
from underspend.integrations.alerts import post as posting


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """The machine's own proxies have no part in these tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def trusted(monkeypatch):
    """The loopback certificate is one of an authority the machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    posting._tls.cache_clear()
    yield
    posting._tls.cache_clear()
