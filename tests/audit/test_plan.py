import json

import pytest

from underspend.audit.plan import Plan, detect


def found(**more):
    return detect(**({"environ": {}, "settings": {}} | more))


def login(folder, **said):
    (folder / ".credentials.json").write_text(json.dumps({"claudeAiOauth": {"accessToken": "x", **said}}))


def test_the_users_word_wins():
    paying = found(told="max20", environ={"ANTHROPIC_API_KEY": "x"})
    assert paying.plan is Plan.MAX20
    assert "not an invoice" in paying.label


@pytest.mark.parametrize(
    "more",
    [
        {"environ": {"ANTHROPIC_API_KEY": "x"}},
        {"environ": {"CLAUDE_CODE_USE_BEDROCK": "1"}},
        {"settings": {"s.json": {"env": {"ANTHROPIC_AUTH_TOKEN": "x"}}}},
        {"settings": {"s.json": {"apiKeyHelper": "x"}}},
        {"billing": ["api_key"]},
    ],
)
def test_signs_of_an_api_key(more):
    assert found(**more).plan is Plan.API


@pytest.mark.parametrize(
    ("said", "plan"),
    [
        ({"subscriptionType": "pro"}, Plan.PRO),
        ({"subscriptionType": "max", "rateLimitTier": "default_claude_max_5x"}, Plan.MAX5),
        ({"subscriptionType": "max", "rateLimitTier": "default_claude_max_20x"}, Plan.MAX20),
        ({"subscriptionType": "max"}, Plan.PLAN),
        ({"subscriptionType": "something new"}, Plan.PLAN),
        ({}, Plan.UNKNOWN),
    ],
)
def test_the_kind_of_a_login(tmp_path, said, plan):
    login(tmp_path, **said)
    assert found(config_folders=[tmp_path]).plan is plan
    assert "x" not in found(config_folders=[tmp_path]).why.split()


def test_a_switch_that_is_off_is_no_sign():
    assert found(environ={"CLAUDE_CODE_USE_VERTEX": "0", "ANTHROPIC_API_KEY": ""}).plan is Plan.UNKNOWN


def test_a_broken_login_file_is_none(tmp_path):
    (tmp_path / ".credentials.json").write_text("{")
    assert found(config_folders=[tmp_path, tmp_path / "gone"]).plan is Plan.UNKNOWN


def test_what_the_gateway_saw():
    paying = found(billing=["api_key", "oauth"])
    assert (paying.plan, paying.plan.is_subscription) == (Plan.PLAN, True)
    assert paying.said.endswith("Known from: the gateway saw calls with a subscription's login.")
    assert "only an equivalent" in found().said
    assert "Known from" not in found().said
