import pytest
from asking import BODY, outgoing

from underspend.providers.anthropic import Anthropic, with_version
from underspend.providers.keys import Secret

VERSION = (b"anthropic-version", b"2023-06-01")


@pytest.mark.parametrize(
    ("endpoint", "path"), [("messages", "/v1/messages"), ("count_tokens", "/v1/messages/count_tokens")]
)
def test_paths_behind_the_address(endpoint, path):
    made = Anthropic(name="a", base_url="https://host/under/").addressed(outgoing(endpoint=endpoint), None)
    assert made.target == f"/under{path}"
    assert made.body == BODY


def test_the_public_api_unless_another_is_named():
    assert Anthropic(name="a").url == "https://api.anthropic.com"
    assert Anthropic(name="a").price_list == "anthropic"


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("sk-ant-api03-x", (b"x-api-key", b"sk-ant-api03-x")),
        ("sk-ant-oat01-x", (b"authorization", b"Bearer sk-ant-oat01-x")),
    ],
)
def test_a_key_is_shown_as_it_is_taken(key, shown):
    assert Anthropic(name="a").addressed(outgoing(), Secret(key)).headers[-1] == shown


def test_the_client_s_version_is_kept_and_one_is_added_where_there_is_none():
    said = [(b"anthropic-version", b"2026-10-21")]
    assert with_version(list(said)) == said
    assert VERSION in Anthropic(name="a").addressed(outgoing(), None).headers
