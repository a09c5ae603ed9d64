import pytest

from underspend.core.errors import ConfigError
from underspend.providers import BUILTIN
from underspend.providers.anthropic import Anthropic
from underspend.providers.keys import Secret
from underspend.providers.openai import OpenAi
from underspend.providers.provider import bearer, in_path, with_json


@pytest.mark.parametrize("url", ["ftp://a", "no address", "https://", "https://a/?q=1", "https://a/#x"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ConfigError, match="not the address of a server"):
        OpenAi(name="mine", base_url=url).check()


def test_a_user_in_an_address_is_not_shown_to_anyone():
    assert OpenAi(name="mine", base_url="https://user:secret@host:8443/v1").origin == "https://host:8443"


def test_a_name_for_a_model_may_be_another_at_the_provider():
    provider = Anthropic(name="a", aliases={"opus": "claude-opus-5-5"})
    assert [provider.model_id(name) for name in ("opus", "other")] == ["claude-opus-5-5", "other"]


def test_a_model_stays_one_segment_of_a_path_whatever_it_holds():
    odd = in_path("../../x?y=1#z\r\nHost: evil/ü")
    assert not set("/?#\r\n ") & set(odd)
    assert in_path("anthropic.claude-x-v1:0") == "anthropic.claude-x-v1:0"


def test_a_json_body_says_so_once():
    assert with_json([]) == [(b"content-type", b"application/json")]
    said = [(b"content-type", b"application/json; charset=utf-8")]
    assert with_json(said) == said


def test_a_key_is_not_in_what_a_provider_or_request_looks_like():
    from asking import outgoing

    made = Anthropic(name="a").addressed(outgoing(), Secret("sk-secret"))
    assert "sk-secret" not in repr(made)
    assert bearer(Secret("k")) == [(b"authorization", b"Bearer k")]


@pytest.mark.parametrize("kind", BUILTIN)
def test_every_kind_says_what_it_is(kind):
    made = kind(name="x")
    assert kind.kind
    assert made.speaks
    assert isinstance(made.price_list, str)
    assert made.stream_decoder("text/event-stream") is None
