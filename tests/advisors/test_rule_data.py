import re
from importlib import resources

import pytest

from underspend.advisors.rule_data import rules

NAMES = [each.name.removesuffix(".toml") for each in (resources.files("underspend.advisors") / "data").iterdir()]


@pytest.mark.parametrize("name", ["claude_md", "dear_models", "settings_doctor", "unused_tools"])
def test_every_file_says_where_it_comes_from(name):
    assert name in NAMES
    text = (resources.files("underspend.advisors") / "data" / f"{name}.toml").read_text("utf-8")
    assert re.search(r"source", text, re.IGNORECASE)
    assert rules(name)


def test_every_pattern_compiles():
    for rule in rules("claude_md")["rule"]:
        assert rule["source"]
        assert all(re.compile(pattern) for pattern in rule["patterns"])
