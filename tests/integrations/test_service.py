import os
import plistlib

import pytest

from underspend.core.errors import SettingsError
from underspend.integrations.service import install, remove, service


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """A systemctl that notes how it was called."""
    log, folder = tmp_path / "calls", tmp_path / "bin"
    folder.mkdir()
    script = folder / "systemctl"
    script.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexit ${{FAIL:-0}}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return log


def test_a_linux_service_is_started_kept_alive_and_taken_away(tmp_path, systemctl):
    made = service({"HOME": str(tmp_path), "UNDERSPEND_HOME": "/data/u s"}, platform="linux", python="/py thon")
    install(made)
    text = made.path.read_text()
    assert made.path == tmp_path / ".config/systemd/user/underspend.service"
    assert 'ExecStart="/py thon" -m underspend up --quiet' in text
    assert 'Environment="UNDERSPEND_HOME=/data/u s"' in text
    assert "Restart=always" in text
    assert remove(made)
    assert not made.path.exists()
    assert systemctl.read_text().splitlines() == [
        "--user daemon-reload",
        "--user enable --now underspend.service",
        "--user disable --now underspend.service",
    ]
    assert not remove(made)


def test_a_service_that_does_not_start_leaves_nothing(tmp_path, systemctl, monkeypatch):
    monkeypatch.setenv("FAIL", "1")
    made = service({"HOME": str(tmp_path)}, platform="linux")
    with pytest.raises(SettingsError, match="underspend up"):
        install(made)
    assert not made.path.exists()


def test_no_session_manager_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match="systemctl cannot be run"):
        install(service({"HOME": str(tmp_path)}, platform="linux"))


def test_the_mac_service_is_a_valid_property_list(tmp_path):
    made = service({"HOME": str(tmp_path), "UNDERSPEND_HOME": "/a&b"}, platform="darwin", python="/p<y")
    read = plistlib.loads(made.text.encode())
    assert read["ProgramArguments"] == ["/p<y", "-m", "underspend", "up"]
    assert read["EnvironmentVariables"] == {"UNDERSPEND_HOME": "/a&b"}
    assert read["KeepAlive"] is True


def test_other_platforms_say_what_to_do(tmp_path):
    with pytest.raises(SettingsError, match="underspend up"):
        service({"HOME": str(tmp_path)}, platform="win32")
