"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from underspend.config import load
from underspend.strategies import BUILTIN

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "underspend"
TESTS = ROOT / "tests"
MODULES = sorted(SOURCE.rglob("*.py"))
WRITTEN_BY_HAND = [path for path in MODULES if "versions" not in path.parts]

NO_TWIN = {
    "__main__.py": "one line that calls the command line",
    "cli/main.py": "the commands' own tests go through it",
    "config/schema.py": "declarations; test_load reads each of them",
    "core/advisor.py": "declarations",
    "core/call.py": "declarations",
    "core/history.py": "declarations",
    "core/ports.py": "declarations",
    "formats/dialects/neutral.py": "declarations",
    "formats/translation.py": "declarations and their sequence; the dialects' and translators' tests go through it",
    "routing/beliefs.py": "declarations",
    "gateway/transport.py": "declarations; test_asgi and test_upstream hold what implements them",
    "stores/migrations/env.py": "alembic's entry; test_database migrates through it",
    "stores/schema.py": "declarations; test_database holds the migrations against them",
}
"""Modules without a test file of their own, and why."""


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=name_of)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function, its decorators left out."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def comments(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


@each(MODULES)
def test_a_file_fits_in_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@each(WRITTEN_BY_HAND)
def test_a_function_fits_in_40_lines(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert {function.name: length(function) for function in functions(tree) if length(function) > 40} == {}


def has_code(path: Path) -> bool:
    """Whether a module does anything: defines more than names for re-export."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    passive = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign, ast.AnnAssign)
    return any(not isinstance(node, passive) for node in body)


def twins(path: Path) -> list[Path]:
    """Where the tests of a module may be: beside its twin's place, or for a package in its own name."""
    place = TESTS / path.relative_to(SOURCE)
    if path.name == "__init__.py":
        return [place.parent / "test_init.py", place.parent.with_name(f"test_{path.parent.name}.py")]
    return [place.with_name(f"test_{path.name}")]


@each([path for path in WRITTEN_BY_HAND if has_code(path)])
def test_a_module_has_its_test_file(path: Path) -> None:
    has_one = any(twin.is_file() for twin in twins(path))
    if name_of(path) in NO_TWIN:
        assert not has_one, "it has a test file now: take it off the list"
    else:
        assert has_one, f"no {twins(path)[0].relative_to(ROOT)}"


def test_the_list_of_exceptions_is_up_to_date() -> None:
    assert [name for name in NO_TWIN if not (SOURCE / name).is_file()] == []


def test_a_test_file_has_its_module() -> None:
    folders = {path.parent for path in MODULES}
    lost = [
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (TESTS / folder.relative_to(SOURCE)).glob("test_*.py")
        if folder in {SOURCE / name for name in ("core", "formats", "tokens", "config", "stores", "strategies")}
        and not (folder / path.name.removeprefix("test_")).is_file()
        and path.name not in {"test_traps.py", "test_recordings.py"}
    ]
    assert lost == []


@each(MODULES)
def test_no_module_is_a_drawer_for_everything(path: Path) -> None:
    assert not re.search(r"(^|_)(utils?|helpers?|managers?|common|misc)$", path.stem)


@each(WRITTEN_BY_HAND)
def test_no_mark_is_left_and_every_silenced_check_is_named(path: Path) -> None:
    bad = [
        (number, comment)
        for number, comment in comments(path.read_text(encoding="utf-8"))
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", comment)
        or re.search(r"type:\s*ignore(?!\[)", comment)
        or re.search(r"noqa(?!:\s*[A-Z]+\d+)", comment)
        or re.search(r"pragma:\s*no\s*cover", comment)
    ]
    assert bad == []


@each(
    [
        path
        for path in WRITTEN_BY_HAND
        if path.is_relative_to(SOURCE / "core") or path.is_relative_to(SOURCE / "strategies")
    ]
)
def test_the_kernel_and_the_strategies_have_no_float(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    assert [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, float)] == []
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    assert names.isdisjoint({"float", "datetime", "socket", "asyncio"})


ROUND = {10**6, 10**12, 10**28, 86_400_000_000}
"""Units that pricing code may name: a million tokens, a pico-dollar, a day. What else is large is a price or limit."""
A_NAMED_BOUND = {"_REMEMBERED": 4096}


@each(sorted((SOURCE / "pricing").glob("*.py")))
def test_prices_and_limits_are_data_not_literals(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    dates = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _calls(node, "datetime")]
    allowed = {id(argument) for node in dates for argument in node.args} | {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in A_NAMED_BOUND
    }
    numbers = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and id(node) not in allowed
    ]
    assert [number for number in numbers if isinstance(number, float)] == []
    assert [number for number in numbers if number > 1000 and number not in ROUND] == []


def _calls(node: ast.Call, name: str) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == name


@each(WRITTEN_BY_HAND)
def test_no_model_id_decides_anything_outside_the_data(path: Path) -> None:
    """Prices and abilities go by the catalogue. The fake provider and examples in docstrings may name models."""
    if path.is_relative_to(SOURCE / "testing"):
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    ids = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in documentation
        and re.search(r"claude-(opus|sonnet|haiku|fable|mythos|\d)|gpt-\d|gemini-\d", node.value)
    ]
    assert ids == []


@pytest.mark.parametrize("name", [kind.name for kind in BUILTIN])
def test_every_strategy_has_its_page_and_its_test(name: str) -> None:
    page = ROOT / "docs" / "strategies" / f"{name}.md"
    assert page.is_file()
    assert page.read_text(encoding="utf-8").startswith("# ")
    assert (TESTS / "strategies" / f"test_{name}.py").is_file()


def test_the_settings_page_names_every_setting(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    sections = [origin for origin in load(home=tmp_path, environ={}).origins if origin.description]
    assert sections
    missing = [origin.name for origin in sections if not _is_on(page, origin.name) or origin.description not in page]
    assert missing == []


def _is_on(page: str, name: str) -> bool:
    """Whether a page has a setting, by its dotted name or by its key under the heading of its section."""
    section, _, key = name.rpartition(".")
    part = page.partition(f"[{section}]")[2].partition("\n#")[0]
    return f"`{name}`" in page or f"`{key}`" in part


def test_every_fixture_is_noticed() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    folders = [path.name for path in (TESTS / "fixtures" / "provider-traffic").iterdir() if path.is_dir()]
    assert folders
    rows = {line.split()[0]: line.split()[-1] for line in notice.splitlines() if line[:1].isalpha() and " " in line}
    assert [name for name in folders if name not in rows] == []


def test_no_bundled_recording_is_large() -> None:
    recordings = [path for path in (TESTS / "fixtures" / "provider-traffic").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in recordings) < 600_000
