import csv
import io
import json
import stat
import sys

import pytest
from click.testing import CliRunner

from integrations.alerts.servers import OK, alert, http, says
from reports.ledger_rows import us
from underspend.cli import alerts
from underspend.core.errors import NotFoundError
from underspend.integrations.alerts.record import Record, Sent, State

AT = us("2026-11-20T10:30:00+00:00")


@pytest.fixture
def call(home):
    def run(*arguments):
        return CliRunner().invoke(alerts.command, arguments)

    return run


@pytest.fixture
def sent(home):
    record = Record(home)
    record.add(Sent(at=AT, to="ops", state=State.SENT, alert=alert("s1", at=AT)))
    failed = Sent(at=AT, to="mail", state=State.FAILED, alert=alert("s2", at=AT), tries=6, error="h answers 550")
    record.add(failed)


@pytest.fixture
def hook(home):
    """Two webhooks in config.toml: one to a server that takes it, one to a server that does not."""
    (home / "secret-of-ours").write_text("hunter2\n", encoding="utf-8")
    (home / "secret-of-ours").chmod(stat.S_IRUSR | stat.S_IWUSR)
    with http(OK) as good, http(says("500 No")) as bad:
        tables = [
            f'[[alerts.to]]\nname = "{name}"\nkind = "webhook"\nurl = "http://127.0.0.1:{server.port}/x"\n'
            f'secret = "file:{(home / "secret-of-ours").as_posix()}"\n'
            for name, server in (("good", good), ("bad", bad))
        ]
        (home / "config.toml").write_text("\n".join(tables), encoding="utf-8")
        yield good


@pytest.mark.usefixtures("sent")
def test_what_was_sent_and_what_failed_is_listed_newest_first(call):
    rows = [row.rstrip() for row in call().output.splitlines()]
    assert rows == [
        "when          to                     what",
        "20 Nov 10:30  mail  failed  warning  Bash failed 5 times in a row.",
        "20 Nov 10:30  ops   sent    warning  Bash failed 5 times in a row.",
        "mail: h answers 550 (tried 6×)",
    ]


@pytest.mark.usefixtures("sent")
def test_log_is_the_same_list(call):
    assert call("log", "--json").output == call("--json").output
    assert call("log", "--failed", "--csv").output == call("--failed", "--csv").output


@pytest.mark.usefixtures("sent")
def test_only_failures_can_be_asked_for(call):
    rows = json.loads(call("--failed", "--json").output)
    assert [(row["to"], row["state"], row["error"], row["tries"]) for row in rows] == [
        ("mail", "failed", "h answers 550", 6)
    ]
    assert rows[0]["usd"] == "1.5"


@pytest.mark.usefixtures("sent")
def test_the_newest_can_be_had_as_csv(call):
    rows = list(csv.DictReader(io.StringIO(call("--csv", "--limit", "1").output)))
    assert [(row["to"], row["kind"], row["severity"]) for row in rows] == [("mail", "loop", "warning")]


def test_nothing_sent_names_the_test(call):
    assert call().output.startswith("No alert was sent yet. `underspend alerts test`")
    assert json.loads(call("--json").output) == []


def test_a_test_reaches_a_place(call, hook):
    result = call("test", "good")
    assert (result.exit_code, result.output) == (0, "good (webhook): sent.\n")
    assert json.loads(hook.requests[0].body)["kind"] == "test"


@pytest.mark.usefixtures("hook")
def test_a_test_that_fails_ends_with_1_and_says_why(call):
    result = call("test")
    assert result.exit_code == 1
    assert result.output == "good (webhook): sent.\nbad (webhook): not sent. 127.0.0.1 answers 500\n"


@pytest.mark.skipif(sys.platform == "win32", reason="files have no modes there")
@pytest.mark.usefixtures("hook")
def test_a_secret_that_others_can_read_is_said(call, home):
    (home / "secret-of-ours").chmod(0o644)
    result = call("test", "good")
    assert result.exit_code == 1
    assert "can be read by others (mode 644)" in result.output
    assert "hunter2" not in result.output


@pytest.mark.usefixtures("hook")
def test_a_name_that_is_none_is_told_those_there_are(call):
    error = call("test", "nobody").exception
    assert isinstance(error, NotFoundError)
    assert str(error) == "No place nobody. There are: good, bad."


def test_without_a_place_it_is_said_how_to_add_one(call):
    error = call("test").exception
    assert isinstance(error, NotFoundError)
    assert "Add [[alerts.to]] to" in str(error)


PAUSES = [
    {
        "session": "abc-1",
        "agent": None,
        "kind": "loop",
        "words": "Bash failed.",
        "since": AT,
        "until": AT + 600_000_000,
    },
    {"session": "abd-2", "agent": "a7", "kind": "loop", "words": "Again.", "since": AT, "until": AT + 600_000_000},
    {"session": None, "agent": None, "kind": "velocity", "words": "Fast.", "since": AT, "until": AT + 600_000_000},
]


@pytest.fixture
def posted(monkeypatch):
    found = []
    monkeypatch.setattr("underspend.cli.gateway_link.get_json", lambda *_: {"pauses": PAUSES})
    monkeypatch.setattr("underspend.cli.gateway_link.post_json", lambda _, path, said: found.append((path, said)))
    return found


def test_what_is_paused_is_listed(call, posted):
    assert call("resume").output.splitlines() == [
        "session abc-1, until 10:40: Bash failed.",
        "session abd-2, agent a7, until 10:40: Again.",
        "all calls, until 10:40: Fast.",
    ]
    assert posted == []


def test_a_session_goes_on_by_the_beginning_of_its_name(call, posted):
    assert call("resume", "abd").output == "Session abd-2 goes on.\n"
    assert posted == [("/_/resume", {"session": "abd-2"})]


def test_all_go_on(call, posted):
    assert call("resume", "--all").output.splitlines()[-1] == "All calls go on."
    assert [said["session"] for _, said in posted] == ["abc-1", "abd-2", None]


@pytest.mark.parametrize("name", ["ab", "x"])
def test_a_name_that_fits_none_or_several_is_told_those_there_are(call, posted, name):
    assert str(call("resume", name).exception) == f"No paused session {name}. Paused are: abc-1, abd-2."
    assert posted == []


def test_nothing_paused_is_said(call, monkeypatch):
    monkeypatch.setattr("underspend.cli.gateway_link.get_json", lambda *_: {"pauses": []})
    assert call("resume").output == "Nothing is paused.\n"
    assert call("resume", "--all").output == "Nothing is paused.\n"
    assert str(call("resume", "x").exception) == "No paused session x. No session is paused."


def test_the_list_itself_takes_home(run, tmp_path):
    found = run("alerts", "--home", str(tmp_path / "elsewhere"))
    assert found.output.startswith("No alert was sent yet.")
