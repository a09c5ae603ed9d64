import asyncio
import json

import pytest
from click.testing import CliRunner

from underspend.cli.cache import command
from underspend.config.cache import FaqAnswers
from underspend.core.errors import ConfigError, NotFoundError
from underspend.core.faq import FaqHit


@pytest.fixture
def use(home):
    """Runs `underspend cache faq …` in this process."""

    def call(*arguments):
        return CliRunner().invoke(command, ["faq", *arguments])

    return call


def add_hit(home, entry):
    async def work():
        faq = FaqAnswers().opened(home, "file")
        hit = FaqHit(
            id=0,
            entry=entry,
            at=1,
            score=912_000,
            served=False,
            matcher="lexical-1",
            asked="How can I pay?",
            question="How do I pay?",
            tenant="one",
        )
        await faq.store.note(hit)
        await faq.close()

    asyncio.run(work())


def test_an_answer_is_written_found_and_revoked(use, home):
    said = use("add", "How do I pay?", "By card.", "--for", "*").output
    entry = said.split()[0]
    lines = use("entries").output.splitlines()
    assert lines[0].startswith("off, from")
    assert lines[2].split()[:3] == [entry, "curated", "*"]
    [shape] = json.loads(use("entries", "--json").stdout)
    assert (shape["entry"], shape["question"], shape["curated"]) == (entry, "How do I pay?", True)
    assert use("revoke", entry).output == f"{entry} is revoked\n"
    assert isinstance(use("revoke", entry).exception, NotFoundError)
    assert json.loads(use("entries", "--json").stdout) == []


def test_hits_are_listed_and_labelled(use, home):
    add_hit(home, "e1")
    assert use("label", "1", "wrong").output == "hit 1 is wrong\n"
    assert isinstance(use("label", "9", "right").exception, NotFoundError)
    line = use("hits").output.splitlines()[1].split()
    assert line[:5] == ["1", "shadow", "91.2%", "wrong", "e1"]
    [shape] = json.loads(use("hits", "--entry", "e1", "--json").stdout)
    assert (shape["label"], shape["asked"], shape["score_ppm"]) == (False, "How can I pay?", 912_000)
    assert json.loads(use("hits", "--entry", "e2", "--json").stdout) == []


def test_calibration_says_how_many_pairs_it_needs(use, tmp_path):
    assert "0 pairs, 574 more pairs are needed at the least" in use("calibrate").output
    file = tmp_path / "pairs.jsonl"
    word = [f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(600)]
    rows = [{"a": f"About {each}?", "b": f"about {each}", "same": True} for each in word]
    file.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    said = use("calibrate", "--pairs", str(file)).output
    assert said.startswith("From 100% alike at most 1.0% of the answers are wrong (0 of 600 were; 95.0% confidence).")


@pytest.mark.parametrize("line", ["x", "[]", '{"a": "x", "b": "y"}', '{"a": "x", "b": "y", "same": 1}'])
def test_a_line_that_is_no_pair_is_named(use, tmp_path, line):
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"a": "x", "b": "y", "same": true}\n' + line)
    caught = use("calibrate", "--pairs", str(file)).exception
    assert isinstance(caught, ConfigError)
    assert "pairs.jsonl:2" in str(caught)
