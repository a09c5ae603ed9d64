import time

from underspend.testing.demo.clock import ReplayClock

DAY = 86_400_000_000


def machine():
    return time.time_ns() // 1000


def test_it_is_the_machines_clock_until_it_is_moved_and_again_once_released():
    clock = ReplayClock()
    assert abs(clock.now() - machine()) < 1_000_000
    clock.rewind(clock.now() - DAY)
    assert abs(clock.now() - machine() + DAY) < 1_000_000
    clock.release()
    assert abs(clock.now() - machine()) < 1_000_000


def test_it_runs_on_from_where_it_was_moved_to():
    clock = ReplayClock()
    clock.rewind(1_000)
    assert 1_000 <= clock.now() < 1_000_000
    before = clock.now()
    time.sleep(0.001)
    assert clock.now() > before


def test_it_reaches_later_times_and_never_goes_back():
    clock = ReplayClock()
    clock.rewind(0)
    clock.reach(DAY)
    assert DAY <= clock.now() < DAY + 1_000_000
    clock.reach(5)
    assert clock.now() >= DAY
