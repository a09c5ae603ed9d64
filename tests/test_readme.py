"""The README's own words are run: commands, settings, names."""

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from underspend.cli.main import COMMANDS, underspend
from underspend.config import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands():
    """Every `underspend …` the README shows, in text or in a block."""
    shown = re.findall(r"`underspend ([^`]+)`", README) + re.findall(r"^\$ underspend ([^#\n]+)", README, re.MULTILINE)
    return sorted({each.strip() for each in shown} - {""})


@pytest.mark.parametrize("shown", commands())
def test_every_command_shown_exists_with_its_options(shown):
    name, *arguments = shlex.split(shown)
    context = click.Context(underspend)
    command = underspend.get_command(context, name)
    assert command is not None
    if isinstance(command, click.Group) and arguments:
        command = command.commands[arguments.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in arguments if word.startswith("-")} <= known


def test_every_command_is_in_the_readme():
    assert [name for name in COMMANDS if not re.search(rf"\b{name}\b", README)] == []


def test_the_settings_shown_are_read(tmp_path):
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    tomllib.loads(block)
    (tmp_path / "config.toml").write_text(block)
    settings = load(home=tmp_path, environ={})
    steps = {step.strategy.name: step for step in settings.steps}
    assert steps["model_rules"].state == "on"
    assert [budget.action for budget in settings.budgets] == ["block"]


def test_the_budgets_shown_are_read(tmp_path):
    page = (ROOT / "docs" / "budgets.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "config.toml").write_text("\n".join(blocks))
    names = [budget.name for budget in load(home=tmp_path, environ={}).budgets]
    assert names == ["day", "projects", "session", "one-call"]


def test_make_targets_shown_exist():
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"(?:\$ |`)make ([a-z-]+)", page.read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name}: make {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_changes_are_written_down():
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text() or "## 0." in (ROOT / "CHANGELOG.md").read_text()
