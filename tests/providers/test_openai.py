import pytest
from asking import outgoing

from underspend.providers.keys import Secret
from underspend.providers.openai import OpenAi


@pytest.mark.parametrize(
    ("endpoint", "target"),
    [("chat", "/v1/chat/completions"), ("responses", "/v1/responses"), ("embeddings", "/v1/embeddings")],
)
def test_paths(endpoint, target):
    made = OpenAi(name="openai").addressed(outgoing(dialect="openai", endpoint=endpoint), Secret("k"))
    assert made.target == target
    assert made.headers[-1] == (b"authorization", b"Bearer k")


def test_both_of_its_dialects_are_spoken_and_calls_are_translated_to_chat():
    provider = OpenAi(name="openai")
    assert provider.speaks == ("openai", "responses")
    assert (provider.url, provider.price_list) == ("https://api.openai.com/v1", "openai")
