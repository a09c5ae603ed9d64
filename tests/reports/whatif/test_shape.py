import json
import re
from decimal import Decimal
from pathlib import Path

from reports.whatif.results import better, rich
from underspend.reports.shapes import dumps
from underspend.reports.whatif.shape import whatif_shape

PAGE = Path(__file__).parents[3] / "docs" / "whatif.md"


def shape(made):
    return json.loads(dumps(whatif_shape(made)))


def test_dollars_are_exact_text_and_add_up():
    found = shape(rich())
    assert Decimal(found["recorded_usd"]) - Decimal(found["saved_usd"]["expected"]) == Decimal(found["replayed_usd"])
    steps = sum(Decimal(part["step_usd"]) for part in found["policy"])
    assert steps == Decimal(found["saved_usd"]["expected"])
    assert sum(Decimal(each["replayed_usd"]) for each in found["projects"]) == Decimal(found["replayed_usd"])


def test_it_holds_all_there_is_to_know():
    found = shape(rich())
    assert [part["strategy"] for part in found["policy"]] == ["lifetime", "trim"]
    assert [part["state"] for part in found["others"]] == ["off"]
    assert found["worst_sessions"][0]["name"] == "s-2"
    assert (found["sessions"], found["sessions_dearer"], found["sessions_out_of_bounds"]) == (2, 1, 1)
    assert found["not_replayed"] == ["limit"]
    assert found["assumptions"][0]["source"] is None
    assert found["config"].startswith("[strategies.lifetime]")
    assert {each["id"] for each in shape(better())["findings"]} == {each.id for each in better().findings}


def test_the_page_says_what_every_key_is():
    page = PAGE.read_text(encoding="utf-8")
    assert [key for key in shape(rich()) if not re.search(rf"`{key}`", page)] == []


def test_it_is_the_same_every_time():
    assert dumps(whatif_shape(rich())) == dumps(whatif_shape(rich()))
