import json

import pytest
from click.testing import CliRunner

from underspend.cli import main
from underspend.testing.fake_upstream import run_in_thread


@pytest.fixture
def doctor(home, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    (tmp_path / "claude").mkdir()

    def look(upstream):
        monkeypatch.setenv("UNDERSPEND_UPSTREAM_ANTHROPIC", upstream)
        return CliRunner().invoke(main.underspend, ["doctor"])

    return look


def test_a_newcomer_is_told_what_to_do_next(doctor):
    with run_in_thread() as upstream:
        said = doctor(upstream.url)
    assert said.exit_code == 0
    assert "→ Start it with `underspend up`." in said.output
    assert "→ Run `underspend on`." in said.output
    assert f"✓ upstream {upstream.url} answers" in said.output


def test_an_upstream_that_does_not_answer_fails(doctor):
    said = doctor("http://127.0.0.1:1")
    assert said.exit_code == 1
    assert "✗ upstream http://127.0.0.1:1 cannot be reached" in said.output


def test_a_client_pointed_at_a_dead_gateway_fails(doctor, tmp_path):
    env = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}
    (tmp_path / "claude" / "settings.json").write_text(json.dumps({"env": env}))
    said = doctor("http://127.0.0.1:1")
    assert "a gateway that does not run" in said.output
    assert "turns tool search off" in said.output


def test_calls_without_a_price_are_named(doctor, filled):
    assert "calls without a price: new-model" in doctor("http://127.0.0.1:1").output


def test_settings_that_are_no_json_fail(doctor, tmp_path):
    (tmp_path / "claude" / "settings.json").write_text("{")
    assert "it is not JSON" in doctor("http://127.0.0.1:1").output
