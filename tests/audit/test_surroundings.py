import json

import pytest

from audit.histories import START
from underspend.audit.surroundings import gather, settings_of


@pytest.fixture
def folders(tmp_path):
    config, project = tmp_path / "config", tmp_path / "shop"
    config.mkdir()
    (project / ".claude").mkdir(parents=True)
    return config, project


def around(folders, **more):
    config, project = folders
    return gather([str(project), "/gone/for/ever", ""], now=START, config_folders=[config], **more)


def test_settings_and_memory_of_the_user_and_of_each_project_are_read(folders):
    config, project = folders
    (config / "settings.json").write_text('{"model": "opus", "cleanupPeriodDays": 90}')
    (project / ".claude" / "settings.local.json").write_text('{"env": {}}')
    (config / "CLAUDE.md").write_text("user")
    (project / "CLAUDE.md").write_bytes(b"project \xff")
    found = around(folders)
    assert set(found.settings) == {str(config / "settings.json"), str(project / ".claude" / "settings.local.json")}
    assert found.memory_files == {str(config / "CLAUDE.md"): "user", str(project / "CLAUDE.md"): "project \ufffd"}
    assert found.retention_days == 90


def test_what_cannot_be_read_is_left_out(folders):
    config, project = folders
    (config / "settings.json").write_text("{ not json")
    (config / "settings.local.json").write_text("[1]")
    (project / "CLAUDE.md").mkdir()
    found = around(folders)
    assert (found.settings, found.memory_files, found.retention_days) == ({}, {}, 30)


@pytest.mark.parametrize("said", [0, -1, True, "90"])
def test_a_retention_that_is_none_is_the_default(folders, said):
    (folders[0] / "settings.json").write_text(json.dumps({"cleanupPeriodDays": said}))
    assert around(folders).retention_days == 30


def test_the_administrators_word_on_retention_wins(folders):
    (folders[0] / "settings.json").write_text('{"cleanupPeriodDays": 90}')
    managed = folders[0] / "managed.json"
    managed.write_text('{"cleanupPeriodDays": 7}')
    assert around(folders, managed=managed).retention_days == 7
    assert list(settings_of([folders[0]], managed))[-1] == str(managed)


def test_memory_files_are_those_the_client_reads(folders, tmp_path):
    project = folders[1]
    above = tmp_path / "CLAUDE.local.md"
    above.write_text("above")
    (project / "CLAUDE.md").write_text("@style.md")
    (project / "style.md").write_text("style")
    managed = tmp_path / "managed.md"
    managed.write_text("all")
    found = around(folders, managed_memory=managed)
    names = [str(path) for path in (managed, above, project / "CLAUDE.md", project / "style.md")]
    assert list(found.memory_files) == names
    assert found.memory_readers[str(managed)] is None
    assert found.memory_readers[str(above)] == {str(project)}
    assert found.memory_named_by == {str(project / "style.md"): str(project / "CLAUDE.md")}
    (project / ".claude" / "settings.json").write_text('{"claudeMdExcludes": ["**/style.md"]}')
    assert str(project / "style.md") not in around(folders).memory_files
