def test_nothing_to_undo_is_said(run, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    said = run("off")
    assert said.exit_code == 0
    assert "nothing to undo" in said.output
