import os

import pytest

from underspend.config import load
from underspend.config.change import set_value, value_of
from underspend.core.errors import ConfigError
from underspend.core.strategy import State

WRITTEN = """\
# mine
[gateway]
port = 4200  # because 4100 is taken

[strategies.cap_output]
floor = 5000
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "config.toml").write_text(WRITTEN, encoding="utf-8")
    return tmp_path


def state(home, name):
    return next(step.state for step in load(home=home, environ={}).steps if step.strategy.name == name)


def test_a_setting_is_added_and_all_else_stays(home):
    set_value("strategies.trim_results.state", "on", home=home)
    text = (home / "config.toml").read_text("utf-8")
    assert text.startswith(WRITTEN)
    assert state(home, "trim_results") is State.ON


def test_a_setting_is_changed_where_it_stands(home):
    set_value("gateway.port", 4300, home=home)
    assert (home / "config.toml").read_text("utf-8") == WRITTEN.replace("4200", "4300")


def test_rules_are_tables(home):
    set_value("strategies.model_rules.rules", value_of('[{ model = "a", to = "b", roles = ["subagent"] }]'), home=home)
    rules = next(s.strategy.rules for s in load(home=home, environ={}).steps if s.strategy.name == "model_rules")
    assert [(rule.model, rule.to) for rule in rules] == [("a", "b")]


def test_where_there_is_no_file_one_is_made(tmp_path):
    assert set_value("proof.holdout", 0.1, home=tmp_path / "new") == tmp_path / "new" / "config.toml"
    assert load(home=tmp_path / "new", environ={}).proof.holdout == 0.1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strategies.no_such.state", "on"),
        ("strategies.trim_results.state", "perhaps"),
        ("gateway.port", "many"),
        ("gateway.port.deeper", 1),
        ("gateway", "text"),
        ("port", 1),
    ],
)
def test_what_would_not_load_is_not_written(home, name, value):
    with pytest.raises(ConfigError):
        set_value(name, value, home=home)
    assert (home / "config.toml").read_text("utf-8") == WRITTEN
    assert os.listdir(home) == ["config.toml"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_line(home):
    home.chmod(0o500)
    with pytest.raises(ConfigError, match="cannot be written"):
        set_value("gateway.port", 1, home=home)


def test_values_are_toml_else_text():
    assert [value_of(text) for text in ("on", "5", "true", '"5"', '["a"]', "")] == ["on", 5, True, "5", ["a"], ""]
