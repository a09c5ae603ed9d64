import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.histories import START, history, line, reply, sample, tool
from underspend.audit.bills import price
from underspend.audit.categories import (
    Category,
    by_category,
    is_check,
    is_edit,
    kind_of,
    kind_of_command,
    kinds,
    move_resent,
    resent,
)
from underspend.audit.totals import Totals, nothing, total
from underspend.core.history import Mark, MarkKind, Place


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("ls -la", Category.SIMPLE),
        ("git status && git diff | head -5", Category.SIMPLE),
        ("uv run pytest -q", Category.PRODUCTIVE),
        ("go test ./...", Category.PRODUCTIVE),
        ("npm run build", Category.PRODUCTIVE),
        ("git commit -m x", Category.ROUTINE),
        ("mkdir a && ls", Category.ROUTINE),
        ("lsof", Category.ROUTINE),
        ("", Category.UNCLASSIFIED),
    ],
)
def test_commands(command, kind):
    assert kind_of_command(command) is kind
    assert is_check(command) is (kind is Category.PRODUCTIVE)


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (reply("m", tools=(tool("Read"), tool("Grep"))), Category.SIMPLE),
        (reply("m", tools=(tool("Edit", size=20),)), Category.ROUTINE),
        (reply("m", tools=(tool("Edit", size=300), tool("Write", size=300))), Category.PRODUCTIVE),
        (reply("m", tools=(tool("Read"), tool("Agent"))), Category.COMPLEX),
        (reply("m", tools=(tool("Read"),), thinking_tokens=1000), Category.COMPLEX),
        (reply("m", tools=(tool("Read"),), thinking_chars=4000), Category.COMPLEX),
        (reply("m", tools=(tool("Edit", size=20),), thinking_tokens=5000), Category.ROUTINE),
        (reply("m", tools=(tool("mcp__x__y"),)), Category.UNCLASSIFIED),
        (reply("m"), None),
    ],
)
def test_a_reply_by_its_own_tools(made, kind):
    assert kind_of(made) is kind


def test_an_answer_belongs_where_its_turn_did_its_weightiest_work():
    billed = price(
        history(
            line(
                reply("a", START, tools=(tool("Read"),), turn="t1"),
                reply("b", START + 1, tools=(tool("Edit", size=9000),), turn="t1"),
                reply("c", START + 2, turn="t1"),
                reply("d", START + 3, turn="t2"),
                reply("e", START + 4, turn="t3", text_chars=5000),
            )
        )
    )
    found = kinds(billed)
    assert [found[name].name for name in "abcde"] == ["SIMPLE", "PRODUCTIVE", "PRODUCTIVE", "UNCLASSIFIED", "COMPLEX"]


def test_what_was_in_the_prompt_before_is_overhead_until_a_compaction():
    mark = Mark(at=START + 2, place=Place(file="f", line=1), kind=MarkKind.COMPACTION)
    made = line(
        reply("a", START, (0, 100, 0, 0, 1)),
        reply("b", START + 1, (0, 40, 0, 90, 1)),
        mark,
        reply("c", START + 3, (0, 50, 0, 0, 1)),
    )
    billed = {each.reply.message_id: each for each in price(history(made))}
    ((each, before),) = resent([made], billed)
    assert (each.reply.message_id, before) == ("b", 100)
    row = nothing()
    move_resent(each, before, row)
    moved = Totals.of(row)
    assert {lane: tokens for lane, tokens in moved.tokens.items() if tokens} == {
        "cache_read": 90,
        "cache_write_5m": 10,
    }
    assert moved.cost == sum(moved.lanes.values()) > 0


def test_edits_are_edits():
    assert is_edit(tool("Write"))
    assert not is_edit(tool("Read"))


def test_categories_of_the_sample_are_all_there():
    found = by_category(price(sample()), sample().timelines, kinds(price(sample())))
    assert list(found) == [each.value for each in Category]
    assert found["context overhead"].requests == 0
    assert found["context overhead"].tokens["cache_read"] == 10_100 + 10_600 + 2000
    assert found["unclassified"].requests == 2


@given(st.lists(st.tuples(*[st.integers(0, 10**5)] * 5), max_size=10))
def test_categories_add_up_to_the_totals_to_the_pico_dollar(usages):
    made = line(*(reply(f"m{n}", START + n, each) for n, each in enumerate(usages)))
    billed = price(history(made))
    merged = total([])
    for each in by_category(billed, [made], kinds(billed)).values():
        assert min(each.cost, *each.tokens.values()) >= 0
        merged.merge(each)
    assert merged == total(billed)
