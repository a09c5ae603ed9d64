import threading

from integrations.alerts.servers import T0, alert
from underspend.integrations.alerts.hourly import Hourly


class Clock:
    def now(self):
        return T0


class Tells:
    def __init__(self):
        self.told = []
        self.twice = threading.Event()

    def tell(self, each):
        self.told.append(each)
        if len(self.told) >= 2:
            self.twice.set()


def test_what_is_found_is_told_again_and_again():
    tells, asked = Tells(), []

    def look(now):
        asked.append(now)
        return [alert()]

    with Hourly(look, tells, Clock(), first=0.0, every=0.001):
        assert tells.twice.wait(30)
    assert set(asked) == {T0}
    assert set(tells.told) == {alert()}


def test_a_look_that_fails_is_a_fault_and_the_next_is_taken():
    tells, faults, looks = Tells(), [], iter([OSError("/home/u/ledger"), [alert()], [alert()]])

    def look(_):
        found = next(looks, [])
        if isinstance(found, Exception):
            raise found
        return found

    with Hourly(look, tells, Clock(), on_fault=lambda *each: faults.append(each), first=0.0, every=0.001):
        assert tells.twice.wait(30)
    assert faults == [("alerts", "weeks and months: OSError")]


def test_a_stop_does_not_wait_for_the_hour():
    with Hourly(lambda _: [alert()], Tells(), Clock()) as hourly:
        pass
    assert not hourly._thread.is_alive()
