import json


def test_sessions_and_calls(run, filled):
    lines = run("top").output.splitlines()
    assert lines[0].split() == ["session", "project", "dearest", "model", "lasted", "calls", "cached", "paid"]
    assert [line.split()[0] for line in lines[1:3]] == ["s-two", "s-one"]
    assert [line.split()[0] for line in lines[5:]] == ["bbbb2222", "aaaa1111", "cccc3333"]
    assert lines[-1].endswith("unpriced")


def test_json_and_csv(run, filled):
    assert list(json.loads(run("top", "--of", "calls", "-n", "1", "--json").stdout)) == ["calls"]
    assert run("top", "--of", "sessions", "--csv").stdout.startswith("session,project,first_at,")
    assert "CSV holds one table" in run("top", "--csv").output


def test_nothing_yet(run):
    assert "No calls here yet." in run("top").output
