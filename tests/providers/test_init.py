import importlib.metadata

import pytest

from underspend import providers
from underspend.providers import BUILTIN, kind_of, kinds
from underspend.providers.anthropic import Anthropic


def test_every_kind_is_on_the_list_under_its_own_name():
    assert {kind.kind for kind in BUILTIN} == set(kinds())
    assert len(kinds()) == len(BUILTIN)


@pytest.mark.parametrize(
    ("name", "said", "kind"),
    [
        ("anthropic", "", "anthropic"),
        ("gemini", "", "gemini"),
        ("groq", "", "compatible"),
        ("mine", "", "compatible"),
        ("work", "anthropic", "anthropic"),
    ],
)
def test_a_name_says_the_kind_where_nothing_else_does(name, said, kind):
    assert kind_of(name, said) == kind


def test_other_packages_may_bring_kinds_and_may_not_replace_ours(monkeypatch):
    class Other(Anthropic):
        kind = "other"

    class Thief(Anthropic):
        kind = "openai"

    found = [type("Entry", (), {"load": lambda self, kind=kind: kind})() for kind in (Other, Thief)]
    monkeypatch.setattr(providers, "entry_points", lambda group: found if group == "underspend.providers" else [])
    kinds.cache_clear()
    try:
        assert kinds()["other"] is Other
        assert kinds()["openai"] is not Thief
    finally:
        kinds.cache_clear()
    assert importlib.metadata.entry_points(group=providers.GROUP) is not None
