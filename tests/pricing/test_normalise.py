from __future__ import annotations

import pytest

from underspend.pricing.catalogue import catalogue
from underspend.pricing.normalise import PROVIDERS, candidates, provider_id


@pytest.mark.parametrize(
    ("written", "provider", "model"),
    [
        ("claude-opus-5-5", None, "claude-opus-5-5"),
        ("Claude-Opus-5-5", "anthropic", "claude-opus-5-5"),
        ("claude-opus-5-5[1m]", "anthropic", "claude-opus-5-5"),
        ("anthropic.claude-opus-5", "bedrock", "claude-opus-5"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws", "claude-sonnet-4-5"),
        ("us-gov.anthropic.claude-3-haiku-20240307-v1:0", None, "claude-3-haiku"),
        ("apac.anthropic.claude-3-5-sonnet-20241022-v2:0", None, "claude-3-5-sonnet"),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "bedrock", "claude-haiku-4-5"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-6-v1",
            "bedrock",
            "claude-opus-4-6",
        ),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-4-7", "bedrock", "claude-opus-4-7"),
        ("claude-sonnet-4-5@20250929", "vertex", "claude-sonnet-4-5"),
        ("claude-opus-5-5@default", "vertex", "claude-opus-5-5"),
        ("publishers/anthropic/models/claude-opus-4-8", "vertex", "claude-opus-4-8"),
        ("anthropic/claude-sonnet-4.5", None, "claude-sonnet-4-5"),
        ("anthropic/claude-opus-4.8", "anthropic", "claude-opus-4-8"),
        ("claude-sonnet-4-20250514", "anthropic", "claude-sonnet-4-0"),
        ("claude-opus-4-1-20250805", "anthropic", "claude-opus-4-1"),
        ("claude-3-opus-latest", "anthropic", "claude-3-opus-latest"),
        ("claude-haiku-5-5-20261007", "anthropic", "claude-haiku-5-5"),
        ("models/gemini-3.1-pro-preview", "google", "gemini-3.1-pro-preview"),
        ("gpt-5.4-2026-03-05", "openai", "gpt-5.4"),
    ],
)
def test_an_id_leads_to_its_model(written: str, provider: str | None, model: str) -> None:
    found = catalogue().find(written, provider=provider)
    assert found is not None
    assert found.id == model


@pytest.mark.parametrize(
    "unlisted",
    [
        "claude-2.0",
        "claude-2.1",
        "claude-instant-1.2",
        "anthropic.claude-v2:1",
        "anthropic.claude-instant-v1",
        "claude-opus-5-5-mini",
        "claude-opus-5-",
        "claude-opus",
        "claude-opus-6",
        "xclaude-opus-5",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcd1234",
        "",
        "my-model",
    ],
)
def test_nothing_is_guessed(unlisted: str) -> None:
    assert catalogue().find(unlisted) is None
    assert catalogue().find(unlisted, provider="anthropic") is None


def test_a_longer_id_is_another_model() -> None:
    shorter, longer = catalogue().find("claude-opus-5"), catalogue().find("claude-opus-5-5")
    assert shorter is not None
    assert longer is not None
    assert shorter.id != longer.id


@pytest.mark.parametrize(
    ("written", "regional"),
    [
        ("us.anthropic.claude-opus-5", True),
        ("anthropic.claude-opus-5", True),
        ("global.anthropic.claude-opus-5", False),
        ("claude-opus-5", False),
    ],
)
def test_a_cloud_region_is_told(written: str, *, regional: bool) -> None:
    found = catalogue().resolve(written)
    assert found is not None
    assert found.name.regional is regional


def test_a_dated_id_is_taken_before_its_base() -> None:
    assert [name.model for name in candidates("claude-x-20260101", provider="anthropic")] == [
        "claude-x-20260101",
        "claude-x",
    ]


def test_openrouter_has_its_own_list_first() -> None:
    found = catalogue().resolve("anthropic/claude-opus-4.8", provider="openrouter")
    assert found is not None
    assert found.model.provider == "openrouter"


def test_a_hosts_ids_are_not_looked_up_without_it() -> None:
    hosted = catalogue().models(provider="groq")[-1].id
    assert catalogue().find(hosted, provider="groq") is not None
    assert catalogue().find(hosted) is None


def test_every_name_of_a_provider_is_known() -> None:
    assert {provider_id(name) for name in ("Bedrock", "gemini", "xai", "z.ai", "moonshot")} <= set(PROVIDERS)
    assert provider_id(None) is None
