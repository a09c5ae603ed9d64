import pytest

from underspend.config.load import load
from underspend.core.errors import ConfigError

TEXT = """
[alerts]
quiet_minutes = 30

[[alerts.to]]
name = "here"
kind = "desktop"

[rate_limits.storm]
most = 60

[runaway]
loops = "pause"
"""


def origins(folder, text):
    return {each.name: each for each in load(home=folder, text=text, environ={}, steps=False).origins}


def test_every_setting_says_its_line_or_that_it_is_the_default(tmp_path):
    found = origins(tmp_path, TEXT)
    said = {name: (each.value, each.source.rpartition(":")[2]) for name, each in found.items()}
    assert said["alerts.quiet_minutes"] == (30, "3")
    assert said["alerts.most_per_hour"] == (30, "default")
    assert said["alerts.to.here.least"] == ("info", "default")
    assert said["alerts.to.here.name"] == ("here", "5")
    assert said["rate_limits.storm.most"] == (60, "10")
    assert said["rate_limits.storm.of"] == ("session", "default")
    assert said["runaway.loops"] == ("pause", "13")
    assert "alerts.to" not in said
    assert found["runaway.loops"].description == "What is done about loops."


def test_tables_that_are_not_there_have_no_origins(tmp_path):
    assert not [name for name in origins(tmp_path, "[runaway]\n") if name.startswith(("alerts.", "rate_limits."))]
    assert load(home=tmp_path, text="", environ={}, steps=False).alerts is None


@pytest.mark.parametrize(
    ("text", "watches"),
    [
        ("[runaway]\n", True),
        ('[[alerts.to]]\nname = "here"\nkind = "desktop"\n', True),
        ("[alerts]\n", False),
        ("[rate_limits.x]\nmost = 1\n", False),
    ],
)
def test_calls_are_watched_where_someone_asked_for_it_or_can_be_told(tmp_path, text, watches):
    assert load(home=tmp_path, text=text, environ={}, steps=False).alerts.watches is watches


def test_what_cannot_be_meant_names_the_file_and_the_table(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.toml \[rate_limits\.x\]: .*most"):
        load(home=tmp_path, text='[rate_limits.x]\nwithin = "1m"\n', environ={}, steps=False)
