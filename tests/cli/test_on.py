import json

import pytest


@pytest.fixture
def claude(tmp_path, monkeypatch):
    folder = tmp_path / "claude"
    folder.mkdir()
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder / "settings.json"


def test_on_shows_the_exact_change_and_off_gives_the_file_back(run, claude):
    before = '{\n  "model": "opus"\n}\n'
    claude.write_text(before)
    said = run("on")
    assert said.exit_code == 0
    assert '+    "ANTHROPIC_BASE_URL": "http://127.0.0.1:1",' in said.output
    assert "The gateway is not running" in said.stderr
    assert json.loads(claude.read_text())["env"]["ENABLE_TOOL_SEARCH"] == "true"
    assert "points at http://127.0.0.1:1 already" in run("on").output
    assert '-    "ANTHROPIC_BASE_URL"' in run("off").output
    assert claude.read_text() == before


def test_dry_runs_change_nothing(run, claude):
    assert "Nothing was changed" in run("on", "--dry-run").output
    assert not claude.exists()
    run("on")
    assert "Nothing was changed" in run("off", "--dry-run").output
    assert claude.exists()


def test_a_project_is_named_in_the_address(run, claude):
    run("on", "--project", "shop")
    assert json.loads(claude.read_text())["env"]["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:1/p/shop"


def test_a_settings_file_that_is_no_json_is_one_line_and_untouched(program, claude):
    claude.write_text("{not json")
    done = program("on")
    assert done.returncode == 7
    assert done.stderr.startswith(f"underspend: {claude}: it is not JSON")
    assert done.stderr.count("\n") == 1
    assert claude.read_text() == "{not json"


def test_a_service_that_cannot_be_made_changes_no_settings(run, claude, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run("on", "--service").exit_code != 0
    assert not claude.exists()
