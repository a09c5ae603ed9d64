from advisors.histories_by_hand import HAIKU, MINUTE, NOV, history, line, look, reply, usage
from underspend.advisors.settings_doctor import SettingsDoctor


def findings(past, settings):
    found = look(SettingsDoctor, past, settings=settings)
    return [each for name, each in found.items() if name.startswith("settings/caching-off/")]


def finding(variable, *replies, value="1"):
    return findings(history(line(*replies)), {"/home/u/.claude/settings.json": {"env": {variable: value}}})


def test_what_was_sent_again_without_a_cache():
    (found,) = finding(
        "DISABLE_PROMPT_CACHING",
        reply("a", usage(fresh=10_000)),
        reply("b", usage(fresh=11_000), at=NOV + MINUTE),
    )
    # b: 10,000 read at 0.2 instead of input at 4, less 1,000 written at 5; a: 10,000 written at 5 instead of 4
    assert found.amount == 10_000 * 3_800_000 - 1000 * 1_000_000 - 10_000 * 1_000_000
    assert found.id == "settings/caching-off/DISABLE_PROMPT_CACHING"
    assert found.rows[0]["uncached_replies"] == 2


def test_what_caching_saves_and_would_no_more():
    (found,) = finding("DISABLE_PROMPT_CACHING", reply("a", usage(read=10_000, w5m=1000)))
    # 10,000 read at 0.2 instead of input at 4, less 1,000 written at 5 instead of 4
    assert found.title == "DISABLE_PROMPT_CACHING switches prompt caching off, which saved $0.0370 in this history"
    assert found.amount == 0
    assert found.rows[0]["saved_by_caching_until_now"] == "$0.0370"


def test_one_family_only():
    replies = (reply("a", usage(read=10_000)), reply("h", usage(read=10_000), model=HAIKU))
    (found,) = finding("DISABLE_PROMPT_CACHING_HAIKU", *replies)
    assert found.rows[0]["saved_by_caching_until_now"] == "$0.000900"


def test_two_files_that_say_it_count_once():
    past = history(line(reply("a", usage(read=10_000))))
    env = {"env": {"DISABLE_PROMPT_CACHING": "1"}}
    (found,) = findings(past, {"/home/u/.claude/settings.json": env, "/cfg/settings.json": env})
    assert "saved $0.0380" in found.title
    assert [row["file"] for row in found.rows] == ["/cfg/settings.json", "/home/u/.claude/settings.json"]


def test_not_switched_off():
    assert finding("DISABLE_PROMPT_CACHING", reply("a", usage(read=1)), value="0") == []
    assert finding("DISABLE_PROMPT_CACHINGS", reply("a", usage(read=1))) == []


def test_a_model_without_a_price():
    (found,) = finding("DISABLE_PROMPT_CACHING", reply("a", usage(read=1), model="claude-nobody"))
    assert found.amount == 0
