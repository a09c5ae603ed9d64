import subprocess
import sys

import pytest
from click.testing import CliRunner

from reports.ledger_rows import add_call, add_decision, add_prompt, new_ledger, us
from underspend.cli import main, reading

NOW = us("2026-11-20T16:40:00+00:00")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("UNDERSPEND_HOME", str(tmp_path))
    monkeypatch.setenv("UNDERSPEND_REPORT_TIMEZONE", "UTC")
    monkeypatch.setenv("UNDERSPEND_GATEWAY_PORT", "1")
    monkeypatch.setattr(reading, "now", lambda: NOW)
    return tmp_path


@pytest.fixture
def ledger(home):
    engine = new_ledger(home)
    yield engine
    engine.dispose()


@pytest.fixture
def filled(ledger):
    pieces = [("tools", "tool", "Bash", 3000), ("system", "text", "system 1", 2000), ("messages", "text", "user", 500)]
    add_call(ledger, "aaaa1111", "2026-11-20T10:00:00+00:00", (500, 2000, 0, 3000, 300), without_us_pico=10**12)
    add_prompt(ledger, "aaaa1111", pieces, '{"1": "5m"}')
    add_decision(ledger, "aaaa1111")
    add_call(
        ledger, "bbbb2222", "2026-11-19T10:00:00+00:00", (10, 0, 9000, 90_000, 2000), project="blog", session="s-two"
    )
    unpriced = {"unpriced": "new-model", "model_served": "new-model", "cost_pico": 0, "without_us_pico": 0}
    lanes = {"input_pico": 0, "output_pico": 0}
    add_call(ledger, "cccc3333", "2026-11-20T11:00:00+00:00", (70, 0, 0, 0, 5), **unpriced, **lanes)
    return ledger


@pytest.fixture
def run(home):
    """Runs `underspend …` in this process; the answer has `exit_code`, `output`, `stdout`, `stderr`."""

    def call(*arguments, text=None):
        return CliRunner().invoke(main.underspend, arguments, input=text)

    return call


@pytest.fixture
def program(home):
    """Runs `underspend …` as a program, errors as users see them."""

    def call(*arguments):
        command = [sys.executable, "-c", "from underspend.cli.main import main; main()", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return call
