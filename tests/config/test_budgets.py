from __future__ import annotations

import tomllib

import pytest

from underspend.config.budgets import budgets_from
from underspend.core.budgets import Action, AtCap, Scope
from underspend.core.errors import ConfigError
from underspend.core.money import from_usd

TABLES = """
[day]
usd = "5.00"
action = "block"

[projects]
usd = "100"
window = "calendar month"
scope = "project"
timezone = "America/New_York"
thresholds = [75, 90]

[night]
usd = "0.50"
window = "rolling hour"
scope = "key"
only = "k1"
action = "downgrade"
downgrade_to = "small"

[one]
usd = "2"
window = "request"
action = "block"
at_cap = "end"
"""


def at(name: str) -> str:
    return f"config.toml:{name}"


def test_each_table_is_a_budget() -> None:
    (day, projects, night, one), _ = budgets_from(tomllib.loads(TABLES), at, timezone="Europe/Berlin")
    assert (day.name, day.cap, str(day.window), day.zone.name) == ("day", from_usd(5), "calendar day", "Europe/Berlin")
    assert (day.action, day.scope, day.thresholds) == (Action.BLOCK, Scope.ALL, (50, 80, 100))
    assert (projects.scope, projects.zone.name, projects.thresholds) == (Scope.PROJECT, "America/New_York", (75, 90))
    assert (night.only, night.downgrade_to, night.cap) == ("k1", "small", from_usd("0.5"))
    assert one.at_cap is AtCap.END
    assert budgets_from({}, at, timezone="") == ((), ())


def test_every_setting_says_where_it_was_said() -> None:
    _, origins = budgets_from(tomllib.loads(TABLES), at, timezone="Europe/Berlin")
    said = {each.name: (each.value, each.source) for each in origins}
    assert said["budgets.day.usd"] == ("5.00", "config.toml:budgets.day.usd")
    assert said["budgets.day.window"] == ("calendar day", "default")
    assert said["budgets.day.timezone"] == ("Europe/Berlin", "default")
    assert said["budgets.projects.timezone"] == ("America/New_York", "config.toml:budgets.projects.timezone")
    assert said["budgets.one.at_cap"] == ("end", "config.toml:budgets.one.at_cap")


@pytest.mark.parametrize("tables", [[{"usd": "5"}], "5", 5])
def test_budgets_without_a_name_are_told_how_to_have_one(tables: object) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml:budgets: budgets are tables with a name\. Write one table"):
        budgets_from(tables, at, timezone="")


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({}, "usd"),
        ({"usd": 5}, "Expected `str`"),
        ({"usd": "five"}, "is no amount of dollars"),
        ({"usd": "5", "window": "daily"}, "is no window of a budget"),
        ({"usd": "5", "cap": 1}, "cap"),
        ({"usd": "5", "action": "stop"}, "Invalid enum value 'stop'"),
        ({"usd": "5", "only": "web"}, "counts all calls"),
        ("5.00", "Expected `object`"),
    ],
)
def test_what_is_no_budget_is_named_with_its_table(table: object, problem: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml:budgets\.day: .* Mend \[budgets\.day\]") as caught:
        budgets_from({"day": table}, at, timezone="")
    assert problem in str(caught.value)


def test_a_zone_that_is_not_known_is_an_error_too() -> None:
    with pytest.raises(ConfigError, match="Europe/Atlantis"):
        budgets_from({"day": {"usd": "5", "timezone": "Europe/Atlantis"}}, at, timezone="")
