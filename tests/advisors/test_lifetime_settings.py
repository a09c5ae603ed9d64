from advisors.histories_by_hand import MINUTE, NOV, around, check, history, line, reply, usage
from underspend.advisors.client_settings import settings_files
from underspend.advisors.lifetime_settings import lifetimes

HOME = "/home/u/.claude/settings.json"


def findings(past, settings=None):
    surroundings = around(past, settings={HOME: settings or {}})
    files = list(settings_files(past, surroundings))
    found = {each.id: each for each in lifetimes("settings", files, past, surroundings)}
    for each in found.values():
        check(each, surroundings)
    return found


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
