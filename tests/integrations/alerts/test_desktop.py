"""With stand-ins for the programs, run for real: what reaches them is what an alert says, and nothing is run."""

import os
import sys

import pytest

from integrations.alerts.servers import T0, alert
from underspend.core.alerts import Severity
from underspend.integrations.alerts.desktop import Desktop, command_of
from underspend.integrations.alerts.sending import NotSentError

NASTY = "$(touch pwned) `id` '; rm x; \" <b>&amp;</b> --urgency=low %PATH% $env:PATH"
PROGRAMS = {"linux": "notify-send", "darwin": "osascript", "win32": "powershell.exe"}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are scripts with a first line")


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Makes a program that writes its arguments and the alert's variables to `seen`, a NUL behind each."""

    def make(name, *, ends=0, seconds=0):
        seen = tmp_path / "seen"
        script = [
            f"#!{sys.executable}",
            "import os, sys, time",
            f"time.sleep({seconds})",
            "said = [*sys.argv[1:], *(os.environ[k] for k in sorted(os.environ) if k.startswith('UNDERSPEND_ALERT'))]",
            f"open({str(seen)!r}, 'w').write('\\0'.join(said))",
            f"sys.exit({ends})",
        ]
        program = tmp_path / name
        program.write_text("\n".join(script), encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        return seen

    return make


@pytest.mark.parametrize("platform", PROGRAMS)
def test_an_alerts_text_is_data_to_every_program(stand_in, tmp_path, platform):
    seen = stand_in(PROGRAMS[platform])
    Desktop(platform=platform).send(alert(NASTY, words=NASTY), T0)
    said = seen.read_text(encoding="utf-8").split("\0")
    assert any(NASTY in part for part in said)
    assert not (tmp_path / "pwned").exists()
    assert sorted(os.listdir(tmp_path)) == sorted([PROGRAMS[platform], "seen"])


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_no_script_depends_on_the_alert(platform):
    with_script = [command_of(each, platform).arguments for each in (alert(NASTY, words=NASTY), alert())]
    scripts = [tuple(part for part in arguments if NASTY not in part)[:7] for arguments in with_script]
    assert scripts[0] == scripts[1]


def test_options_end_before_the_text_and_markup_is_escaped():
    arguments = command_of(alert("-s", words="--help <b>", dollars=None), "linux").arguments
    assert arguments[-3:] == ("--", "Underspend: warning, loop, -s", "--help &lt;b&gt;")


@pytest.mark.parametrize(("severity", "urgency"), [("info", "low"), ("warning", "normal"), ("critical", "critical")])
def test_how_bad_it_is_is_how_urgent(severity, urgency):
    assert f"--urgency={urgency}" in command_of(alert(severity=Severity(severity)), "linux").arguments


def test_a_missing_program_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotSentError, match="notify-send is not installed"):
        Desktop(platform="linux").send(alert(), T0)


def test_a_program_that_fails_is_said(stand_in):
    stand_in("notify-send", ends=3)
    with pytest.raises(NotSentError, match="notify-send ended with 3"):
        Desktop(platform="linux").send(alert(), T0)


def test_a_program_that_hangs_is_ended(stand_in):
    stand_in("notify-send", seconds=60)
    with pytest.raises(NotSentError, match=r"notify-send took more than 0\.2 s"):
        Desktop(platform="linux", seconds=0.2).send(alert(), T0)


def test_a_program_that_cannot_be_run_is_said(tmp_path, monkeypatch):
    program = tmp_path / "notify-send"
    program.write_text("#!/nowhere/at/all\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotSentError, match="notify-send cannot be run"):
        Desktop(platform="linux").send(alert(), T0)
