import json


def test_every_setting_says_where_it_was_said(run, home):
    (home / "config.toml").write_text('[gateway]\nallowed_hosts = ["box"]\n[budgets.day]\nusd = "5"\n')
    found = {row["name"]: row for row in json.loads(run("config", "explain", "--json").output)}
    assert found["gateway.allowed_hosts"]["source"] == f"{home / 'config.toml'}:2"
    assert found["gateway.port"]["source"] == "$UNDERSPEND_GATEWAY_PORT"
    assert found["gateway.host"]["source"] == "default"
    assert found["budgets.day.usd"] == {
        "name": "budgets.day.usd",
        "value": "5",
        "source": f"{home / 'config.toml'}:4",
        "description": "",
    }


def test_secrets_are_not_shown(run, monkeypatch):
    monkeypatch.setenv("UNDERSPEND_GATEWAY_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("UNDERSPEND_LEDGER_URL", "postgresql://me:hunter2@box/ledger")
    monkeypatch.setenv("UNDERSPEND_BUDGET_STORE_URL", "redis://me:hunter2@box/0")
    monkeypatch.setenv("UNDERSPEND_CACHE_URL", "redis://:hunter2@box:6379/0")
    monkeypatch.setenv("UNDERSPEND_FAQ_URL", "https://me:hunter2@box/v1")
    output = run("config", "explain", "gateway", "ledger", "cache", "faq", "budget_store").output
    assert "hunter2" not in output
    assert "(set)" in output
    assert "postgresql://me:***@box/ledger" in output
    assert "redis://***@box:6379/0" in output
    assert "redis://***@box/0" in output


def test_names_choose(run):
    assert "upstream." not in run("config", "explain", "gateway").output


def test_one_command_turns_a_strategy_on(run, home):
    done = run("config", "set", "strategies.dedupe_reads.state", "on")
    assert done.exit_code == 0
    assert "is in" in done.output
    assert (home / "config.toml").read_text() == '[strategies.dedupe_reads]\nstate = "on"\n'
    wrong = run("config", "set", "strategies.dedupe_reads.state", "perhaps")
    assert wrong.exit_code != 0
    assert "perhaps" in str(wrong.exception)
