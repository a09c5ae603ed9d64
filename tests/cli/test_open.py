import importlib

import click


def test_the_address_is_printed_without_a_gateway(run):
    assert run("open", "--print").output == "http://127.0.0.1:1/_/\n"


def test_a_running_gateways_page_is_opened(run, monkeypatch):
    opened = []
    module = importlib.import_module("underspend.cli.open")
    monkeypatch.setattr(module, "get_json", lambda *_: {})
    monkeypatch.setattr(click, "launch", opened.append)
    assert run("open").output == "http://127.0.0.1:1/_/\n"
    assert opened == ["http://127.0.0.1:1/_/"]


def test_none_runs(program):
    found = program("open")
    assert found.returncode == 8
    assert "no gateway runs there" in found.stderr
