"""The real Claude Code at work with models that speak another dialect: it notices nothing, and every call is billed."""

import shutil

import pytest
import running
from sessions import Client

from underspend.testing.fake_upstream import Fault, Reply, run_in_thread
from underspend.testing.fake_upstream.chat_format import CHAT
from underspend.testing.fake_upstream.foreign import ToolCall, Turn, foreign_in_thread
from underspend.testing.fake_upstream.gemini_format import GEMINI
from underspend.testing.fake_upstream.responses_format import RESPONSES

FORMS = {
    "openai": (CHAT, "openai", "gpt-5.5"),
    "responses": (RESPONSES, "responses", "gpt-5.5"),
    "google": (GEMINI, "gemini", "gemini-3.5-flash"),
}


def work(folder):
    """Writes a file, reads and changes it, and shows it with two commands at once."""
    file = str(folder / "a.txt")
    steps = [
        [ToolCall("Write", {"file_path": file, "content": "one\ntwo\n"})],
        [ToolCall("Read", {"file_path": file})],
        [ToolCall("Edit", {"file_path": file, "old_string": "two", "new_string": "three"})],
        [
            ToolCall("Bash", {"command": "cat a.txt", "description": "show"}),
            ToolCall("Bash", {"command": "ls", "description": "list"}),
        ],
    ]

    def script(heard):
        has_tools = bool(heard.body.get("tools"))
        if has_tools and heard.rounds < len(steps):
            return Turn(calls=steps[heard.rounds], prompt=20_000, cached=15_000)
        return Turn(text="All done.", prompt=20_000, output=5)

    return script


def config(name, dialect, url, *, chain=""):
    table = f'[providers.{name}]\nkind = "fake"\ndialect = "{dialect}"\nbase_url = "{url}"\nkey = "env:OUR_KEY"\n'
    return table + (f'[fallbacks]\n"{chain}" = ["{name}/{FORMS[name][2]}"]\n' if chain else "")


@pytest.fixture(params=FORMS)
def session(request, claude, tmp_path):
    """A session whose model is of another dialect, and one that falls back to it, in one place after the other."""
    form, dialect, model = FORMS[request.param]
    folder = tmp_path / "work"

    def play(ask, *, chain="", answers=None):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        home = tmp_path / f"gateway{bool(chain)}"
        with run_in_thread(answers) as anthropic, foreign_in_thread(form, work(folder)) as upstream:
            said = config(request.param, dialect, upstream.url, chain=chain)
            gateway = running.start(home, anthropic.url, config=said, env={"OUR_KEY": "sk-ours"})
            try:
                result = Client(claude, gateway.url, folder).ask("write a file, change it, show it", *ask)
                faults = gateway.status()["faults"]
            finally:
                gateway.stop()
                gateway.process.stdout.close()
            return result, upstream, faults, running.ledger_rows(home)

    return request.param, model, folder, play


def test_a_tool_session_is_completed(session):
    name, model, folder, play = session
    result, upstream, faults, rows = play(["--model", f"{name}/{model}"])
    assert (result["result"], result["is_error"]) == ("All done.", False)
    assert (folder / "a.txt").read_text() == "one\nthree\n"
    assert upstream.refused == []
    assert faults == []
    served = [row for row in rows if row["model_served"] == model]
    assert len(served) == len(upstream.requests) >= 5
    assert {(row["outcome"], row["evidence"], row["unpriced"]) for row in served} == {("ok", "billed", None)}
    assert sum(row["cache_read_tokens"] for row in served) == 15_000 * 4
    assert {row["session"] for row in served} == {result["session_id"]}


def test_a_session_goes_on_with_another_provider_when_its_own_is_overloaded(session):
    _, model, folder, play = session
    busy = Fault(status=529)

    def answers(view):
        return busy if view.role == "main" else Reply(content="title")

    result, _, faults, rows = play(["--model", "claude-opus-5-5"], chain="claude-opus-5-5", answers=answers)
    assert (result["result"], result["is_error"]) == ("All done.", False)
    assert (folder / "a.txt").read_text() == "one\nthree\n"
    assert faults == []
    served = [row for row in rows if row["model_served"] == model]
    assert len(served) >= 5
    failed = {row["id"] for row in rows if row["status"] == 529}
    assert {row["attempt_of"] for row in served if row["attempt_of"]} == failed
    assert len(failed) == 3, "then its circuit is open, and it is not asked any more"
