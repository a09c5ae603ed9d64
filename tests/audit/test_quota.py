from audit.histories import DAY, HOUR, MINUTE, START
from underspend.audit.activity import Block
from underspend.audit.quota import by_block, is_running, newest
from underspend.core.quota import Share, Window


def block(since):
    return Block(since=since, until=since + 5 * HOUR, last=since + HOUR, calls=1, tokens=1, cost=1)


def share(at, resets, used=100, window=Window.FIVE_HOURS):
    return Share(window=window, at=at, used_permille=used, resets_at=resets, source="who")


def test_the_last_reading_in_a_block_is_its_share():
    two = [block(START), block(START + 6 * HOUR)]
    said = share(START + 2 * HOUR, START + 5 * HOUR + 20 * MINUTE, 300)
    earlier = share(START + HOUR, START + 5 * HOUR + 20 * MINUTE, 200)
    assert by_block(two, [said, earlier]) == {START: said}


def test_a_window_that_began_elsewhere_is_no_blocks():
    assert by_block([block(START)], [share(START + HOUR, START + 2 * HOUR)]) == {}


def test_nor_is_a_reading_made_before_the_block_or_after_its_window():
    end = START + 5 * HOUR
    assert by_block([block(START)], [share(START - 1, end), share(end, end)]) == {}


def test_seven_days_are_no_block():
    assert by_block([block(START)], [share(START + HOUR, START + 5 * HOUR, window=Window.SEVEN_DAYS)]) == {}


def test_the_newest_of_each_window_and_whether_it_runs():
    old, new = share(START, START + HOUR), share(START + 1, START + HOUR, 110)
    week = share(START, START + 2 * DAY, window=Window.SEVEN_DAYS)
    assert newest([new, week, old]) == {Window.FIVE_HOURS: new, Window.SEVEN_DAYS: week}
    assert is_running(new, START + 1)
    assert not is_running(new, START + HOUR)
    assert not is_running(week, START - 6 * DAY)
