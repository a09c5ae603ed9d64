from hypothesis import given
from hypothesis import strategies as st

from audit.histories import HOUR, MINUTE, OPUS, START, history, line, reply
from underspend.audit.bills import price
from underspend.audit.ccusage_blocks import rows_of_blocks
from underspend.audit.ccusage_export import Figures

SECOND = MINUTE // 60
TEN = (10, 0, 0, 0, 0)


def block(row, since, hours=5, tokens=0):
    return Figures(
        row=row,
        model="",
        input=tokens,
        output=0,
        cache_write=0,
        cache_read=0,
        cost=0,
        since=since,
        until=since + hours * HOUR,
    )


def rows(*replies, blocks):
    return rows_of_blocks(price(history(line(*replies))), blocks)


def test_a_reply_is_in_the_block_of_its_time():
    two = [block("late", START + 9 * HOUR, tokens=10), block("early", START, tokens=10)]
    made = (reply("a", START + HOUR, TEN), reply("b", START + 10 * HOUR, TEN), reply("c", START + 7 * HOUR, TEN))
    assert rows(*made, blocks=two) == {"a": "early", "b": "late"}


def test_both_ends_of_a_block_are_in_it():
    two = [block("one", START, tokens=10), block("two", START + 5 * HOUR, tokens=10)]
    made = (reply("a", START + 5 * HOUR, TEN), reply("b", START + 5 * HOUR + 1, TEN))
    assert rows(*made, blocks=two) == {"a": "one", "b": "two"}


def test_blocks_of_any_length():
    assert rows(reply("a", START + 4 * HOUR, TEN), blocks=[block("one", START, hours=3, tokens=10)]) == {}


def test_a_reply_that_ended_in_the_hour_its_block_began_with():
    first = reply("a", START + HOUR - 2 * SECOND, TEN)
    assert rows(first, blocks=[block("one", START + HOUR, tokens=10)]) == {"a": "one"}


def test_a_reply_that_ended_after_its_block_is_in_the_next_where_the_tokens_say_so():
    made = (reply("a", START, TEN), reply("b", START + 5 * HOUR - SECOND, TEN))
    over = [block("one", START, tokens=10), block("two", START + 5 * HOUR, tokens=10)]
    assert rows(*made, blocks=over) == {"a": "one", "b": "two"}
    here = [block("one", START, tokens=20), block("two", START + 5 * HOUR, tokens=10)]
    assert rows(*made, blocks=here) == {"a": "one", "b": "one"}


def test_tokens_that_no_border_explains_move_nothing():
    made = (reply("a", START, TEN), reply("b", START + HOUR, TEN))
    blocks = [block("one", START, tokens=10), block("two", START + 5 * HOUR, tokens=10)]
    assert rows(*made, blocks=blocks) == {"a": "one", "b": "one"}


@given(st.lists(st.integers(0, 40 * 60), max_size=20), st.lists(st.integers(0, 40), max_size=6, unique=True))
def test_every_reply_is_in_one_block_at_most_and_one_that_can_hold_it(minutes, hours):
    blocks = [block(str(hour), START + hour * HOUR) for hour in hours]
    made = [reply(f"m{n}", START + minute * MINUTE, TEN) for n, minute in enumerate(minutes)]
    times = {each.message_id: each.at for each in made}
    known = {each.row: each for each in blocks}
    for name, row in rows(*made, blocks=blocks).items():
        assert known[row].since - 10 * MINUTE <= times[name] <= known[row].until


def test_models_play_no_part():
    made = (reply("a", START, TEN, model="new"), reply("b", START, TEN, model=OPUS))
    assert rows(*made, blocks=[block("one", START, tokens=20)]) == {"a": "one", "b": "one"}
