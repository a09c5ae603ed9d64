import pytest
from asking import outgoing

from underspend.providers.gemini import Gemini
from underspend.providers.keys import Secret


@pytest.mark.parametrize(
    ("stream", "target"),
    [
        (False, "/v1beta/models/gemini-3.5-flash:generateContent"),
        (True, "/v1beta/models/gemini-3.5-flash:streamGenerateContent?alt=sse"),
    ],
)
@pytest.mark.parametrize("model", ["gemini-3.5-flash", "models/gemini-3.5-flash"])
def test_the_model_is_in_the_path_and_the_key_in_a_header(model, stream, target):
    asked = outgoing(dialect="gemini", endpoint="generate", model=model, stream=stream)
    made = Gemini(name="gemini").addressed(asked, Secret("k"))
    assert made.target == target
    assert made.headers[-1] == (b"x-goog-api-key", b"k")


def test_a_model_cannot_leave_the_path():
    asked = outgoing(dialect="gemini", endpoint="generate", model="../../../evil?x=")
    assert Gemini(name="g").addressed(asked, None).target.startswith("/v1beta/models/..%2F..%2F..%2Fevil%3Fx%3D:")


def test_its_prices_are_google_s():
    assert (Gemini(name="g").price_list, Gemini(name="g").speaks) == ("google", ("gemini",))
