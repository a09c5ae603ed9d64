from __future__ import annotations

from pathlib import Path

import pytest

from underspend.config.paths import find


def test_everything_is_under_the_home_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSPEND_HOME", str(tmp_path / "elsewhere"))
    paths = find(tmp_path)
    assert paths.home == tmp_path
    places = [paths.config_file, paths.ledger, paths.spool, paths.secret, paths.lock, paths.undo]
    assert {place.parent for place in places} == {tmp_path}
    assert len(set(places)) == len(places)


def test_the_variable_names_the_home_when_nothing_else_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSPEND_HOME", str(tmp_path))
    assert find().home == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("UNDERSPEND_HOME", "~/money")
    assert find().home == tmp_path / "money"


def test_otherwise_the_platform_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERSPEND_HOME", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    paths = find()
    assert paths.home.name == paths.config_file.parent.name == "underspend"
    assert paths.config_file.parent != paths.home


def test_a_relative_home_is_made_absolute() -> None:
    assert find(Path("here")).home == Path.cwd() / "here"
