import json
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from audit.histories import DAY, HAIKU, HOUR, OPUS, START, history, line, reply
from underspend.audit import explain_diff as module
from underspend.audit.bills import price
from underspend.audit.ccusage_export import Export, Figures
from underspend.audit.days import Days
from underspend.audit.explain_diff import explain_diff

UTC = Days(ZoneInfo("UTC"))
ONE = (1000, 0, 0, 0, 0)
FOUR_MILS = 4 * 10**9


def figures(row="2026-11-20", model=OPUS, cost=FOUR_MILS, **tokens):
    counts = {"input": 1000, "output": 0, "cache_write": 0, "cache_read": 0} | tokens
    return Figures(row=row, model=model, cost=cost, **counts)


def explained(*replies, theirs, kind="daily", now=START + DAY):
    return explain_diff(price(history(line(*replies))), Export(kind=kind, figures=tuple(theirs)), UTC, now=now)


def causes(found):
    assert found.ours - found.theirs == sum(each.amount for each in found.causes)
    return {each.cause: each.amount for each in found.causes}


def test_equal_dollars_need_no_cause():
    found = explained(reply("m", usage=ONE), theirs=[figures()])
    assert (causes(found), found.residual, found.tokens) == (
        {},
        0,
        dict.fromkeys(("input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens"), 0),
    )


def test_web_searches():
    assert causes(explained(reply("m", usage=ONE, web_searches=2), theirs=[figures()])) == {module.WEB: 2 * 10**10}


def test_inference_in_one_country():
    found = explained(reply("m", usage=ONE, inference_geo="us"), theirs=[figures()])
    assert causes(found) == {module.GEO: FOUR_MILS // 10}


def test_fast_mode():
    made = reply("m", usage=ONE, speed="fast")
    found = explained(made, theirs=[figures(model=f"{OPUS}-fast", cost=6 * FOUR_MILS)])
    assert set(causes(found)) == {module.FAST}
    assert found.residual == 0


def test_long_context_by_the_whole_request_and_by_ccusages_split():
    long = reply("m", usage=(150_000, 0, 0, 0, 0), model=HAIKU)
    found = explained(long, theirs=[figures(model=HAIKU, input=150_000, cost=150_000 * 100_000)])
    assert causes(found) == {module.TIER: 150_000 * 400_000}
    old = reply("m", usage=(0, 0, 0, 500_000, 0), model="claude-sonnet-4-20250514")
    split = 500_000 * 300_000 + 300_000 * 300_000
    priced = figures(model="claude-sonnet-4-20250514", input=0, cache_read=500_000, cost=split)
    found = explained(old, theirs=[priced])
    assert set(causes(found)) <= {module.TIER}
    assert found.residual == 0


def test_sub_agents_lines_are_in_daily_alone():
    made = reply("m", usage=ONE, nested=True)
    assert causes(explained(made, theirs=[figures()])) == {}
    assert causes(explained(made, kind="monthly", theirs=[])) == {module.NESTED: FOUR_MILS}


def test_models_without_a_price():
    assert causes(explained(reply("m", usage=ONE), theirs=[figures(cost=0)])) == {module.UNKNOWN: FOUR_MILS}
    found = explained(reply("m", usage=ONE, model="new"), theirs=[figures(model="new")])
    assert causes(found) == {module.UNPRICED: -FOUR_MILS}


def test_rows_that_only_one_side_has():
    found = explained(reply("m", usage=ONE), theirs=[figures(row="2026-11-21")])
    assert causes(found) == {module.ABSENT: FOUR_MILS, module.MORE: -FOUR_MILS}


def test_lines_with_nulls(tmp_path):
    path = tmp_path / "s.jsonl"
    entry = {"message": {"id": "gone", "model": None, "usage": {"input_tokens": 1000}}}
    path.write_text(json.dumps(entry) + "\n")
    made = (reply("m", usage=ONE), reply("gone", usage=ONE, file=str(path)))
    found = explained(*made, theirs=[figures()])
    assert (causes(found), found.residual) == ({module.NULL: FOUR_MILS}, 0)


def test_rounding_of_floats():
    found = explained(reply("m", usage=ONE), theirs=[figures(cost=FOUR_MILS + 3)])
    assert (causes(found), found.residual) == ({module.ROUNDING: -3}, 0)


def test_a_price_that_changed_since():
    made = reply("m", START - 300 * DAY, (250_000, 0, 0, 0, 0), model="claude-opus-4-6")
    theirs = figures(row="2026-01-24", model="claude-opus-4-6", input=250_000, cost=250_000 * 5_000_000)
    assert causes(explained(made, theirs=[theirs])) == {module.TIER: 250_000 * 5_000_000}


def test_what_has_no_cause_is_said_to_have_none():
    found = explained(reply("m", usage=ONE), theirs=[figures(cost=FOUR_MILS * 2)])
    assert (causes(found), found.residual) == ({module.PRICES: -FOUR_MILS}, -FOUR_MILS)
    found = explained(reply("m", usage=ONE), theirs=[figures(cost=FOUR_MILS * 2, input=2000)])
    assert (causes(found), found.residual) == ({module.COUNTED: -FOUR_MILS}, -FOUR_MILS)
    assert found.tokens["input_tokens"] == -1000


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("sessions", "s"),
        ("sessions", "s-one"),
        ("weekly", "2026-11-16"),
        ("weekly", "2026-11-15"),
        ("weekly", "2026-11-20"),
        ("monthly", "2026-11"),
        ("daily", "2026-11-20"),
    ],
)
def test_rows_are_found_by_their_kind(kind, row):
    assert causes(explained(reply("m", usage=ONE), kind=kind, theirs=[figures(row=row)])) == {}


def block(cost, **tokens):
    return replace(figures(row="b", model="", cost=cost, **tokens), since=START, until=START + 5 * HOUR)


def test_blocks_hold_the_replies_of_their_hours_whatever_the_model():
    made = (reply("m", usage=ONE), reply("h", START + HOUR, ONE, model=HAIKU), reply("late", START + DAY, ONE))
    found = explained(*made, kind="blocks", theirs=[block(FOUR_MILS + FOUR_MILS // 40, input=2000)])
    assert (causes(found), found.residual) == ({module.ABSENT: FOUR_MILS}, 0)
    assert not any(found.tokens.values())


def test_a_model_that_ccusage_has_no_price_for_is_found_in_a_block_of_several():
    made = (reply("m", usage=ONE), reply("h", usage=ONE, model=HAIKU))
    found = explained(*made, kind="blocks", theirs=[block(FOUR_MILS // 40, input=2000)])
    assert (causes(found), found.residual) == ({module.UNKNOWN: FOUR_MILS}, 0)


def test_so_is_one_that_we_have_no_price_for():
    made = (reply("m", usage=ONE), reply("n", usage=ONE, model="new"))
    found = explained(*made, kind="blocks", theirs=[block(3 * FOUR_MILS, input=2000)])
    assert (causes(found), found.residual) == ({module.UNPRICED: -2 * FOUR_MILS}, 0)


def test_what_no_model_of_a_block_explains_is_said():
    made = (reply("m", usage=ONE), reply("h", usage=ONE, model=HAIKU))
    found = explained(*made, kind="blocks", theirs=[block(FOUR_MILS // 2, input=2000)])
    assert set(causes(found)) == {module.PRICES}


def test_no_block_holds_nested_replies():
    found = explained(reply("m", usage=ONE, nested=True), kind="blocks", theirs=[])
    assert causes(found) == {module.NESTED: FOUR_MILS}


@pytest.mark.parametrize(
    ("first", "begins"), [(0, "2026-11-16"), (6, "2026-11-15"), (4, "2026-11-20"), (5, "2026-11-14")]
)
def test_weeks_begin_with_any_day(first, begins):
    assert module.week_of(date(2026, 11, 20), first) == date.fromisoformat(begins)


def test_weeks_that_say_nothing_begin_on_sunday():
    found = explained(reply("m", usage=ONE), kind="weekly", theirs=[figures(row="some week")])
    assert set(causes(found)) == {module.ABSENT, module.MORE}
