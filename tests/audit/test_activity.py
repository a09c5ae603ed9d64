from zoneinfo import ZoneInfo

import pytest

from audit.histories import HOUR, MINUTE, START, history, line, reply, tool
from underspend.audit.activity import activity_of, blocks, dearest_day, hours, timeline, windows
from underspend.audit.bills import price
from underspend.audit.days import Days
from underspend.audit.groups import counted, grouped

UTC = Days(ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (line(reply("m", tools=(tool("Read", "a.py"),))), "reading code"),
        (line(reply("m", tools=(tool("Edit", "src/a.py", 10),))), "writing code"),
        (line(reply("m", tools=(tool("Write", "tests/test_a.py", 10),))), "testing"),
        (line(reply("m", tools=(tool("Bash", "pytest -q"),))), "testing"),
        (line(reply("m", tools=(tool("Edit", "README.md", 10),))), "writing docs"),
        (line(reply("m", tools=(tool("ExitPlanMode"),))), "planning"),
        (line(reply("m", tools=(tool("Bash", "git push"),))), "running commands"),
        (line(reply("m", tools=(tool("mcp__x__y"),))), "other tools"),
        (line(reply("m")), "discussion"),
        (line(reply("m", tools=(tool("Read"),)), agent="a"), "sub-agents"),
    ],
)
def test_activities(made, what):
    assert activity_of(price(history(made))[0]) == what


def test_equal_half_hours_are_one_stretch_and_projects_are_apart():
    reading = (tool("Read", "a"),)
    made = [
        line(*(reply(f"m{n}", START + n * 30 * MINUTE, (10, 0, 0, 0, 0), tools=reading) for n in range(3))),
        line(reply("other", START + 31 * MINUTE, (10, 0, 0, 0, 0)), project="blog"),
    ]
    parts = [windows(price(history(each)), UTC) for each in made]
    found = timeline(window for part in parts for window in part.get("2026-11-20", ()))
    assert [(each.what, each.project, each.calls) for each in found] == [
        ("reading code", "shop", 3),
        ("discussion", "blog", 1),
    ]
    assert found[0].until - found[0].since == 90 * MINUTE


def test_blocks_are_five_hours_from_the_full_hour():
    at = START + 10 * MINUTE
    offsets = (0, HOUR, 5 * HOUR - 11 * MINUTE, 5 * HOUR + MINUTE, 12 * HOUR)
    made = line(*(reply(f"m{n}", at + each, (10, 0, 0, 0, 1)) for n, each in enumerate(offsets)))
    found = blocks(hours(price(history(made))))
    assert [(each.since - START, each.calls, each.tokens) for each in found] == [
        (0, 3, 33),
        (5 * HOUR, 1, 11),
        (12 * HOUR, 1, 11),
    ]
    assert blocks([]) == []


def test_a_block_ends_with_the_reply_on_its_last_instant():
    made = [line(reply(f"m{at}", START + at, (10, 0, 0, 0, 1)), session=str(at)) for at in (0, 5 * HOUR, 5 * HOUR + 1)]
    found = blocks(hour for each in made for hour in hours(price(history(each))))
    assert [(each.since - START, each.calls, each.last - START) for each in found] == [
        (0, 2, 5 * HOUR),
        (5 * HOUR, 1, 5 * HOUR + 1),
    ]


def test_the_dearest_day():
    made = line(reply("a", START, (1, 0, 0, 0, 0)), reply("b", START + 25 * HOUR, (2, 0, 0, 0, 0)))
    assert dearest_day(grouped([counted(price(history(made)), UTC)])["by_day"]) == "2026-11-21"
    assert dearest_day({}) is None
