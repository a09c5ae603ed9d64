"""Starting: every reason not to start is one line with its own exit code, and nothing is left half made."""

import socket
import sqlite3
import subprocess
import sys

import pytest
import running

from underspend.core.errors import StoreError
from underspend.gateway.serve import _make_folder


def up(home, *options, config=None):
    home.mkdir(exist_ok=True)
    if config is not None:
        (home / "config.toml").write_text(config)
    command = [sys.executable, "-m", "underspend", "up", "--quiet", "--home", str(home), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


def one_line(done, code, *said):
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("underspend: ")
    for part in said:
        assert part in done.stderr


def test_a_port_that_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        one_line(up(tmp_path / "h", "--port", port), 3, port, "--port")


def test_a_config_that_is_no_toml_names_the_line(tmp_path):
    home = tmp_path / "h"
    one_line(up(home, config="[gateway]\nport = 1\nport = = 2\n"), 2, f"{home / 'config.toml'}:3")
    assert not (home / "ledger.sqlite3").exists()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("[gateway]\nprot = 4100\n", "Did you mean gateway.port?"),
        ("[gateway]\nbody_limit_mb = 0\n", "config.toml:2"),
        ("[strategies.nope]\n", "no strategy nope"),
        ('[strategies.budget]\nday_usd = "25"\n', "[budgets.day]"),
        ('[budgets.day]\nusd = "-1"\n', "below zero"),
        ('[strategies.cap_output]\nstate = "maybe"\n', "off, shadow or on"),
        ('[prices.x]\ninput = "three"\n', "prices"),
    ],
)
def test_a_setting_that_will_not_do(tmp_path, config, said):
    one_line(up(tmp_path / "h", "--port", "0", config=config), 2, said)


def test_an_open_address_wants_an_access_key(tmp_path):
    one_line(up(tmp_path / "h", "--host", "0.0.0.0", "--port", "0"), 2, "access_key")


@pytest.mark.parametrize("url", ["api.anthropic.com", "localhost:9000", "ftp://x", "http://", "http:///v1"])
def test_an_upstream_that_is_no_address(tmp_path, url):
    one_line(up(tmp_path / "h", "--port", "0", "--upstream", url), 2, url, "https://api.anthropic.com")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="its folder cannot be made") as caught:
        _make_folder(tmp_path / "file" / "data")
    assert "\n" not in str(caught.value)


def test_a_time_zone_that_is_none(tmp_path):
    config = '[report]\ntimezone = "Mars/Olympus"\n'
    one_line(up(tmp_path / "h", "--port", "0", config=config), 2, "Mars/Olympus", "Europe/Berlin")


def test_a_second_gateway_on_the_same_folder(start, upstream, tmp_path):
    start(upstream.url, home=tmp_path / "h")
    one_line(up(tmp_path / "h", "--port", "0"), 4, "locked")


def test_a_ledger_that_is_none(tmp_path):
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / "ledger.sqlite3").write_bytes(b"this is not a database, it only looks like a file" * 40)
    one_line(up(tmp_path / "h", "--port", "0"), 4, "not a ledger")


def test_a_ledger_of_a_newer_version(start, upstream, tmp_path):
    start(upstream.url, home=tmp_path / "h").stop()
    with sqlite3.connect(tmp_path / "h" / "ledger.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    one_line(up(tmp_path / "h", "--port", "0"), 4, "9999", "Update Underspend")


def test_what_a_killed_gateway_left_open_is_settled_as_interrupted(start, upstream, tmp_path):
    gateway = start(upstream.url, home=tmp_path / "h")
    gateway.stop()
    with sqlite3.connect(gateway.home / "ledger.sqlite3") as connection:
        connection.execute(
            "INSERT INTO calls (id, started_at, state, endpoint, provider, upstream, model_asked, model_sent,"
            " prompt_estimate) VALUES ('x', 1795160000000000, 'open', 'messages', 'anthropic', 'u', 'claude-opus-5-5',"
            " 'claude-opus-5-5', 1000)"
        )
    connection.close()
    start(upstream.url, home=tmp_path / "h").stop()
    row = running.ledger_rows(tmp_path / "h")[0]
    assert (row["state"], row["outcome"], row["evidence"]) == ("settled", "interrupted", "estimated")
    assert (row["input_tokens"], row["cost_pico"]) == (1000, 1000 * 4_000_000)
