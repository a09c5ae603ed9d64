import csv
import gzip
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from routing.figures import Outcome, apgr, cost_at, dear_share, interval, paired_interval
from routing.rivals import as_given, given
from routing.tasks import tasks

EASY, GAIN, LOST = Outcome(1, 1, 1, 10), Outcome(0, 1, 1, 10), Outcome(0, 0, 1, 10)
MIXED = [EASY] * 50 + [GAIN] * 30 + [LOST] * 20


def test_a_router_that_tells_nothing_apart_is_a_random_mix():
    flat = [(0.0, one) for one in MIXED]
    assert apgr(flat) == pytest.approx(0.5)
    assert dear_share(flat, 0.8) == pytest.approx(0.8)
    assert cost_at(flat, 1.0) == pytest.approx(1.0)


def test_one_that_knows_all_pays_only_where_it_gains():
    known = [(one.dear - one.cheap, one) for one in MIXED]
    assert apgr(known) == pytest.approx(0.85)
    assert dear_share(known, 1.0) == pytest.approx(0.3)
    assert cost_at(known, 1.0) == pytest.approx((70 + 300) / 1_000)


def test_one_that_is_always_wrong_pays_for_nearly_all():
    wrong = [(one.cheap - one.dear, one) for one in MIXED]
    assert apgr(wrong) == pytest.approx(0.15)


def test_the_cheap_model_alone_is_enough_where_it_is_as_good():
    assert cost_at([(0.0, EASY)] * 9, 0.98) == pytest.approx(0.1)


def test_intervals_hold_the_figure_and_are_the_same_each_time():
    known = [(one.dear - one.cheap, one) for one in MIXED]
    low, high = interval(known, apgr, 50)
    assert low <= apgr(known) <= high
    assert (low, high) == interval(known, apgr, 50)
    assert paired_interval(known, known, apgr, 50) == (0.0, 0.0)


def pack(path, rows):
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, list(rows[0]))
        lines.writeheader()
        lines.writerows(rows)


def test_a_folder_with_one_of_the_files_gives_its_tasks(tmp_path):
    base = {"item_id": "x:1", "output_chars": 38}
    models = ("claude-3-haiku-20240307", "claude-3-5-sonnet-20241022")
    pack(
        tmp_path / "zeroeval_correctness.csv.gz",
        [base | {"model": model, "correct": place} for place, model in enumerate(models)],
    )
    with gzip.open(tmp_path / "zeroeval_prompts.jsonl.gz", "wt") as file:
        file.write(json.dumps({"item_id": "x:1", "task": "x", "question": "How many are 3 and 4?"}) + "\n")
    (task,) = tasks(tmp_path)["tier"]
    assert (task.outcome.cheap, task.outcome.dear) == (0.0, 1.0)
    assert task.outcome.dear_cost > task.outcome.cheap_cost > 0
    assert task.asked.text == task.text


def test_an_empty_folder_gives_none(tmp_path):
    assert tasks(tmp_path) == {}


def test_scores_another_program_wrote_are_taken_by_track_and_item(tmp_path):
    file = tmp_path / "scores.jsonl"
    file.write_text('{"track": "tier", "item": "a", "score": 0.5}\n{"track": "tier", "item": "b", "score": 1}\n')
    scores = given([f"theirs={file}"])["theirs"]
    listed = [SimpleNamespace(track="tier", name=name) for name in ("b", "a")]
    assert as_given(scores, listed) == [1.0, 0.5]
    assert as_given(scores, [*listed, SimpleNamespace(track="tier", name="c")]) is None


@pytest.mark.parametrize("text", ["not json", '{"track": "tier"}', "[1]"])
def test_a_file_of_scores_that_cannot_be_used_is_said_in_one_line(tmp_path, text):
    file = tmp_path / "scores.jsonl"
    file.write_text(text)
    with pytest.raises(SystemExit, match="--beside theirs="):
        given([f"theirs={file}"])
    with pytest.raises(SystemExit, match="--beside theirs: "):
        given(["theirs"])
