import pytest
from asking import outgoing

from underspend.core.errors import ConfigError
from underspend.providers.fake import Fake


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"])
def test_it_stays_on_the_machine(url):
    Fake(name="f", base_url=url).check()


@pytest.mark.parametrize("url", ["http://example.org", "http://10.0.0.1", "http://localhost.evil.org", ""])
def test_it_does_not_leave_the_machine(url):
    with pytest.raises(ConfigError):
        Fake(name="f", base_url=url).check()


@pytest.mark.parametrize(
    ("dialect", "endpoint", "target", "prices"),
    [
        ("anthropic", "messages", "/v1/messages", "anthropic"),
        ("openai", "chat", "/v1/chat/completions", "openai"),
        ("responses", "responses", "/v1/responses", "openai"),
        ("gemini", "generate", "/v1beta/models/m:generateContent", "google"),
    ],
)
def test_it_speaks_any_dialect(dialect, endpoint, target, prices):
    fake = Fake(name="f", base_url="http://127.0.0.1:1", dialect=dialect)
    assert fake.addressed(outgoing(dialect=dialect, endpoint=endpoint), None).target == target
    assert (fake.speaks, fake.price_list, fake.wants_key) == ((dialect,), prices, False)
