import signal
import subprocess
import sys
import urllib.request

import pytest


@pytest.fixture
def up(home):
    command = [sys.executable, "-m", "underspend", "up", "--port", "0", "--upstream", "http://127.0.0.1:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        if process.poll() is None:
            process.kill()


def test_it_says_where_it_listens_and_ctrl_c_ends_it_quietly(up, home):
    said = [up.stdout.readline() for _ in range(5)]
    url = said[0].split()[3]
    assert f"dashboard    {url}/_/" in said[1]
    assert f"ANTHROPIC_BASE_URL={url} claude" in said[2]
    assert str(home / "ledger.sqlite3") in said[3]
    with urllib.request.urlopen(f"{url}/_/health") as reply:
        assert reply.status == 200
    up.send_signal(signal.SIGINT)
    assert up.wait(20) == 0


def test_a_wrong_option_is_one_line(program):
    done = program("up", "--prot", "1")
    assert done.returncode == 2
    assert done.stderr.startswith("underspend: No such option")
    assert done.stderr.count("\n") == 1
