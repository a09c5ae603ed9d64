import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.errors import SettingsError
from underspend.integrations import claude_code

URL = "http://127.0.0.1:4100"
LAYOUTS = [
    "{}",
    "",
    '{"model":"opus","env":{"ANTHROPIC_BASE_URL":"https://elsewhere","X":"1"}}',
    '{\r\n\t"permissions": {"allow": ["Bash(ls:*)"]},\r\n\t"hooks": {}\r\n}',
    '{\n  "env": {},\n  "note": "ä\\u00e4"\n}\n\n',
]


def on(path, record, url=URL):
    change = claude_code.plan_on(path, url)
    claude_code.turn_on(change, url, record)
    return change


def off(record):
    change = claude_code.plan_off(record)
    claude_code.turn_off(change, record)


@pytest.mark.parametrize("before", LAYOUTS)
def test_off_restores_the_file_to_the_byte(tmp_path, before):
    path, record = tmp_path / "settings.json", tmp_path / "undo" / "record.json"
    path.write_bytes(before.encode())
    on(path, record)
    env = json.loads(path.read_text())["env"]
    assert env["ANTHROPIC_BASE_URL"] == URL
    assert env["ENABLE_TOOL_SEARCH"] == "true"
    assert env["CLAUDE_CODE_GATEWAY_HINT_HEADERS"] == "1"
    off(record)
    assert path.read_bytes() == before.encode()
    assert not record.exists()


def test_a_file_that_was_not_there_is_gone_again(tmp_path):
    path, record = tmp_path / "made" / "settings.json", tmp_path / "record.json"
    on(path, record)
    off(record)
    assert not path.parent.exists()


def test_a_folder_that_others_use_by_now_stays(tmp_path):
    path, record = tmp_path / "made" / "settings.json", tmp_path / "record.json"
    on(path, record)
    (tmp_path / "made" / "history.jsonl").write_text("{}")
    off(record)
    assert [each.name for each in path.parent.iterdir()] == ["history.jsonl"]


def test_on_twice_still_undoes_to_the_first(tmp_path):
    path, record = tmp_path / "settings.json", tmp_path / "record.json"
    path.write_text('{"model": "opus"}')
    on(path, record)
    on(path, record, "http://127.0.0.1:4200")
    assert "4200" in path.read_text()
    off(record)
    assert path.read_text() == '{"model": "opus"}'


def test_an_edit_made_since_survives_off(tmp_path):
    path, record = tmp_path / "settings.json", tmp_path / "record.json"
    path.write_text('{\n  "env": {\n    "ANTHROPIC_BASE_URL": "https://old"\n  }\n}\n')
    on(path, record)
    path.write_text(path.read_text().replace('"env"', '"model": "sonnet",\n  "env"'))
    off(record)
    assert json.loads(path.read_text()) == {"model": "sonnet", "env": {"ANTHROPIC_BASE_URL": "https://old"}}


def test_a_link_and_a_mode_are_kept(tmp_path):
    real, link, record = tmp_path / "dotfiles.json", tmp_path / "settings.json", tmp_path / "record.json"
    real.write_text("{}")
    real.chmod(0o600)
    link.symlink_to(real)
    on(link, record)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    off(record)
    assert real.read_text() == "{}"


@pytest.mark.parametrize("broken", ["[1]", "{", '{"env": 3}', "\x00", '{"env": {"A": 1},}'])
def test_a_file_that_cannot_be_changed_is_left_alone(tmp_path, broken):
    path = tmp_path / "settings.json"
    path.write_text(broken)
    with pytest.raises(SettingsError) as caught:
        claude_code.plan_on(path, URL)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_text() == broken


def test_nothing_to_undo(tmp_path):
    assert claude_code.plan_off(tmp_path / "record.json") is None


def test_the_settings_are_found_where_claude_code_looks(tmp_path):
    assert claude_code.settings_path({"CLAUDE_CONFIG_DIR": "/c"}).as_posix() == "/c/settings.json"
    assert claude_code.settings_path({"HOME": os.fspath(tmp_path)}) == tmp_path / ".claude" / "settings.json"


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=4))
def test_any_environment_is_restored(tmp_path_factory, env):
    folder = tmp_path_factory.mktemp("settings")
    path, record = folder / "settings.json", folder / "record.json"
    before = json.dumps({"env": env}, indent=2)
    path.write_text(before)
    on(path, record)
    off(record)
    assert path.read_text() == before
