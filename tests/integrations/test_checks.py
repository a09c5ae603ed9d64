from datetime import date

import pytest

from underspend.config import load
from underspend.integrations import checks
from underspend.integrations.checks import Level, findings


def looked_at(home, environ=None, today=date(2026, 11, 20)):
    settings = load(home=home, flags={"gateway.port": 1, "upstream.anthropic": "http://127.0.0.1:1"})
    return list(findings(settings, {"HOME": str(home), **(environ or {})}, today))


def said(found, text):
    (finding,) = [finding for finding in found if text in finding.what]
    return finding


def test_old_prices_are_a_warning(tmp_path):
    assert said(looked_at(tmp_path), "prices checked").level is Level.OK
    assert said(looked_at(tmp_path, today=date(2028, 1, 1)), "prices were last checked").level is Level.WARN


def test_little_space_is_a_warning(tmp_path, monkeypatch):
    class Usage:
        free = 5 * 1024**2

    monkeypatch.setattr(checks.shutil, "disk_usage", lambda folder: Usage)
    assert said(looked_at(tmp_path), "5 MB are left").level is Level.WARN


def test_a_ledger_that_is_none_fails(tmp_path):
    (tmp_path / "ledger.sqlite3").write_bytes(b"no database at all, not even close to being one" * 30)
    assert said(looked_at(tmp_path), "not a ledger").level is Level.FAIL


def test_waiting_records_are_a_warning(tmp_path):
    from underspend.stores.database import open_database, sqlite_url

    open_database(sqlite_url(tmp_path / "ledger.sqlite3")).dispose()
    (tmp_path / "spool.jsonl").write_text("{}\n")
    assert said(looked_at(tmp_path), "records wait").level is Level.WARN


@pytest.mark.parametrize(
    ("env", "level"), [("http://127.0.0.1:1", Level.FAIL), ("https://elsewhere", Level.WARN), ("", Level.WARN)]
)
def test_where_claude_code_points(tmp_path, env, level):
    folder = tmp_path / ".claude"
    folder.mkdir()
    (folder / "settings.json").write_text(f'{{"env": {{"ANTHROPIC_BASE_URL": "{env}", "ENABLE_TOOL_SEARCH": "true"}}}}')
    assert [f.level for f in looked_at(tmp_path) if "Claude Code" in f.what] == [level]


def test_a_shell_that_says_otherwise_is_named(tmp_path):
    folder = tmp_path / ".claude"
    folder.mkdir()
    (folder / "settings.json").write_text('{"env": {"ANTHROPIC_BASE_URL": "http://a", "ENABLE_TOOL_SEARCH": "true"}}')
    assert said(looked_at(tmp_path, {"ANTHROPIC_BASE_URL": "http://b"}), "your shell says").level is Level.WARN
