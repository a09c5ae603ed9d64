from advisors.histories_by_hand import MINUTE, NOV, history, line, look, reply, usage
from underspend.advisors.lifetime_settings import Other
from underspend.advisors.settings_doctor import SettingsDoctor

HOME = "/home/u/.claude/settings.json"


def findings(past, settings=None):
    found = look(SettingsDoctor, past, settings={HOME: settings or {}})
    return {name: each for name, each in found.items() if name.startswith("settings/cache-lifetime")}


def hours(**known):
    return line(reply("a", usage(w1h=1000)), reply("b", usage(read=1000), at=NOV + MINUTE), **known)


def test_an_hour_nobody_needs():
    found = findings(history(hours()), {"env": {"ENABLE_PROMPT_CACHING_1H": "1"}})
    one = found["settings/cache-lifetime-main"]
    assert one.amount == 3_000_000 * 1000
    assert one.fix == f'In settings.json: "promptCacheTtl": "5m". Take ENABLE_PROMPT_CACHING_1H out of {HOME}.'
    assert one.rows[0]["setting"] == "ENABLE_PROMPT_CACHING_1H"


def test_the_default_can_lose_too():
    found = findings(history(hours(agent="x")))["settings/cache-lifetime-agents"]
    assert found.fix == 'In settings.json: "subagentPromptCacheTtl": "5m".'
    assert found.rows[0]["setting"] == "the default"
    assert "sub-agents' prompts" in found.title


def test_five_minutes_that_pauses_outlast():
    paused = [reply(f"m{number}", usage(w5m=10_000), at=NOV + 20 * number * MINUTE) for number in range(5)]
    found = findings(history(line(*paused)), {"promptCacheTtl": "5m"})["settings/cache-lifetime-main"]
    # four times 10,000 read at 0.2 instead of written at 5, one written at 8
    assert found.amount == 4 * 10_000 * 4_800_000 - 10_000 * 3_000_000
    assert "Take promptCacheTtl out of /home/u/.claude/settings.json." in found.fix


def test_what_is_not_worth_a_word():
    small = line(reply("a", usage(w1h=10, out=100_000)))
    assert findings(history(small)) == {}
    assert findings(history()) == {}
    needed = line(reply("a", usage(w1h=1000)), reply("b", usage(read=1000), at=NOV + 30 * MINUTE))
    assert findings(history(needed)) == {}


def test_parts_add_up():
    whole = Other(gains=5, lanes={"input": 5})
    whole.merge(Other(gains=1, losses=4, claimed=1, lanes={"input": -3, "output": 2}))
    assert (whole.gain, whole.claimed, whole.lanes) == (2, 1, {"input": 2, "output": 2})
