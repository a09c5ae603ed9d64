from dataclasses import replace

import pytest
from doubles import Upstream, home

from targets import to
from underspend.core.call import Call
from underspend.gateway.destinations import Destinations, is_auto, sent_to
from underspend.pricing.catalogue import catalogue

OPUS = Call(id="c", time=0, provider="anthropic", endpoint="messages", model="claude-opus-5-5")


def made(*others, **fallbacks):
    return Destinations(home(Upstream([])), others, catalogue=catalogue(), fallbacks=fallbacks)


OPENAI = to(Upstream([]), "openai")
GROQ = to(Upstream([]), "groq", prices="groq", models=("llama-mine",))


@pytest.mark.parametrize(
    ("model", "where", "named"),
    [
        ("claude-opus-5-5", "anthropic", "claude-opus-5-5"),
        ("", "anthropic", ""),
        ("never-heard-of", "anthropic", "never-heard-of"),
        ("anthropic/claude-opus-5-5", "anthropic", "anthropic/claude-opus-5-5"),
        ("groq/llama", "groq", "llama"),
        ("groq/meta/llama", "groq", "meta/llama"),
        ("groq/", "anthropic", "groq/"),
        ("nobody/llama", "anthropic", "nobody/llama"),
        ("llama-mine", "groq", "llama-mine"),
        ("gpt-5.5", "openai", "gpt-5.5"),
    ],
)
def test_where_an_anthropic_call_goes(model, where, named):
    found = made(OPENAI, GROQ).for_client(model)
    assert (found.to.name, found.model) == (where, named)


def test_without_providers_every_anthropic_call_goes_as_it_is():
    alone = made()
    assert alone.plain
    for model in ("claude-opus-5-5", "groq/llama", "gpt-5.5", "auto"):
        found = alone.for_client(model)
        assert (found.to, found.model) == (alone.home, model)


@pytest.mark.parametrize(
    ("model", "where", "named"),
    [
        ("claude-opus-5-5", "anthropic", "claude-opus-5-5"),
        ("anthropic/claude-opus-5-5", "anthropic", "claude-opus-5-5"),
        ("gpt-5.5", "openai", "gpt-5.5"),
        ("openai/anything", "openai", "anything"),
        ("auto:cheapest", "anthropic", "auto:cheapest"),
    ],
)
def test_where_a_call_of_another_dialect_goes(model, where, named):
    found = made(OPENAI, GROQ).for_stranger(model)
    assert (found.to.name, found.model) == (where, named)


@pytest.mark.parametrize("model", ["never-heard-of", "nobody/x", ""])
def test_a_model_that_nobody_has_goes_nowhere(model):
    assert made(OPENAI).for_stranger(model) is None


def test_claude_goes_to_the_provider_configured_for_it_when_a_stranger_asks():
    ours = to(Upstream([]), "anthropic", dialect="anthropic")
    assert made(ours).for_stranger("claude-opus-5-5").to is ours


def test_a_strategy_s_choice_of_a_provider_is_followed():
    there = made(OPENAI)
    assert there.planned(OPUS, replace(OPUS, model="x"), there.home) is there.home
    assert there.planned(OPUS, replace(OPUS, model="gpt-5.5", provider="openai"), there.home) is OPENAI
    moved = replace(OPUS, provider="openai")
    assert there.planned(moved, OPUS, OPENAI) is there.home
    with pytest.raises(LookupError):
        there.planned(OPUS, replace(OPUS, provider="mistral"), there.home)


@pytest.mark.parametrize(
    ("chain", "found"),
    [
        (["openai/gpt-5.5"], [("openai", "gpt-5.5")]),
        (["claude-haiku-5-5"], [("anthropic", "claude-haiku-5-5")]),
        (["anthropic/claude-haiku-5-5", "gpt-5.5"], [("anthropic", "claude-haiku-5-5"), ("openai", "gpt-5.5")]),
        (["openai/gpt-5.5", "gpt-5.5", "claude-opus-5-5"], [("openai", "gpt-5.5")]),
    ],
)
def test_a_chain_in_order_each_once_and_never_itself(chain, found):
    there = made(OPENAI, **{"claude-opus-5-5": chain})
    after = there.after("claude-opus-5-5", OPUS, there.home)
    assert [(each.to.name, each.model) for each in after] == found


def test_a_dated_name_has_the_chain_of_its_model():
    there = made(OPENAI, **{"claude-opus-5-5": ["openai/gpt-5.5"]})
    dated = "us.anthropic.claude-opus-5-5-v1:0"
    assert there.after(dated, replace(OPUS, model=dated), there.home)
    assert not there.after("claude-haiku-5-5", replace(OPUS, model="claude-haiku-5-5"), there.home)


def test_what_is_left_to_us():
    assert [is_auto(name) for name in ("auto", "auto:quality", "autopilot", "openrouter/auto")] == [
        True,
        True,
        False,
        False,
    ]


def test_a_call_as_it_is_made_elsewhere():
    sent = sent_to(OPUS, made(OPENAI).for_client("gpt-5.5"))
    assert (sent.model, sent.provider, sent.id) == ("gpt-5.5", "openai", OPUS.id)
    assert OPENAI.host == "127.0.0.1:1"
