import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisors.histories_by_hand import MINUTE, NOV, history, line, look, reply, usage
from advisors.random_histories import histories
from underspend.advisors.settings_doctor import SettingsDoctor
from underspend.core.advisor import Urgency
from underspend.core.history import AlwaysLoaded

HOME = "/home/u/.claude/settings.json"


def doctor(settings, past=None):
    return look(SettingsDoctor, past or history(), settings={HOME: settings})


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        ("subAgentModel", "CLAUDE_CODE_SUBAGENT_MODEL"),
        ("sub_agent_model", "CLAUDE_CODE_SUBAGENT_MODEL"),
        ("fallbackEscalation", '"fallbackModel"'),
        ("defaultModel", '"model"'),
    ],
)
def test_settings_that_people_copy_from_posts(key, instead):
    found = doctor({key: "haiku"})
    assert set(found) == {"settings/invented"}
    assert found["settings/invented"].urgency is Urgency.FIX_NOW
    assert instead in found["settings/invented"].fix
    assert found["settings/invented"].amount == 0


def test_settings_that_exist():
    real = {
        "model": "sonnet",
        "fallbackModel": ["haiku"],
        "effortLevel": "medium",
        "promptCacheTtl": "1h",
        "env": {"CLAUDE_CODE_SUBAGENT_MODEL": "inherit", "MAX_THINKING_TOKENS": "0", "ENABLE_TOOL_SEARCH": "true"},
    }
    assert doctor(real) == {}
    assert doctor({"env": 5, "model": None, "fallbackModel": {}}) == {}


def test_models_that_are_gone_or_going():
    found = doctor(
        {
            "model": "claude-haiku-4",
            "fallbackModel": ["claude-opus-4-1", "claude-opus-5-5"],
            "env": {"CLAUDE_CODE_SUBAGENT_MODEL": "claude-sonnet-4-5[1m]"},
        }
    )["settings/models"]
    assert [(row["setting"], row["instead"].split(";")[0]) for row in found.rows] == [
        ("model=claude-haiku-4", "no model of that name is listed"),
        ("fallbackModel=claude-opus-4-1", "retired on 2026-08-05"),
        ("CLAUDE_CODE_SUBAGENT_MODEL=claude-sonnet-4-5[1m]", "retires on 2026-11-30"),
    ]


def test_variables_that_do_little():
    found = doctor({"env": {"ANTHROPIC_SMALL_FAST_MODEL": "haiku", "MAX_THINKING_TOKENS": "8000"}})
    assert [row["setting"] for row in found["settings/obsolete"].rows] == [
        "ANTHROPIC_SMALL_FAST_MODEL",
        "MAX_THINKING_TOKENS",
    ]


def test_a_base_url_without_tool_search():
    past = history(
        line(reply("a", usage(w5m=9000)), reply("b", usage(read=9000), at=NOV + MINUTE)),
        always_loaded=[
            AlwaysLoaded(session="s", kind="mcp_tool", name="mcp__db__q", size=3500),
            AlwaysLoaded(session="s", kind="tool", name="Read", size=3500),
        ],
    )
    found = doctor({"env": {"ANTHROPIC_BASE_URL": "http://key:secret@gw.example:8/x"}}, past)["settings/tool-search"]
    assert found.amount == 1000 * 5_200_000
    assert found.rows[0]["base_url"] == "gw.example"
    assert '"ENABLE_TOOL_SEARCH": "true"' in found.fix


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"ANTHROPIC_BASE_URL": "https://api.anthropic.com"}, False),
        ({"ANTHROPIC_BASE_URL": "https://notanthropic.com"}, True),
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:8", "ENABLE_TOOL_SEARCH": "auto:5"}, False),
        ({"ENABLE_TOOL_SEARCH": "false"}, True),
        ({"ANTHROPIC_BASE_URL": "http://[bad"}, True),
        ({}, False),
    ],
)
def test_whether_tools_are_searched(env, said):
    assert ("settings/tool-search" in doctor({"env": env})) is said


def test_caching_and_lifetimes_are_looked_at():
    past = history(line(reply("a", usage(w1h=1000)), reply("b", usage(read=1000), at=NOV + MINUTE)))
    found = doctor({"env": {"DISABLE_PROMPT_CACHING": "1"}}, past)
    assert set(found) == {"settings/caching-off/DISABLE_PROMPT_CACHING", "settings/cache-lifetime-main"}


values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=2))
names = st.sampled_from(("model", "defaultModel", "env", "promptCacheTtl")) | st.text()
variables = st.sampled_from(
    ("ANTHROPIC_BASE_URL", "DISABLE_PROMPT_CACHING", "ANTHROPIC_MODEL", "FORCE_PROMPT_CACHING_5M")
)


@given(histories(), st.dictionaries(names, values | st.dictionaries(variables, values | st.just("1"))))
def test_any_history_and_any_settings(past, settings):
    surely = {"env": {"DISABLE_PROMPT_CACHING": "1"}}
    found = look(SettingsDoctor, past, settings={HOME: settings, "/cfg/settings.json": surely})
    assert all(each.id.startswith("settings/") for each in found.values())
    assert look(SettingsDoctor, history()) == {}
