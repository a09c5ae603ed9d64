from underspend.core.ports import LedgerHealth
from underspend.gateway.status import Status


class Ticking:
    def __init__(self):
        self.time = 1_000_000

    def now(self):
        self.time += 1_000_000
        return self.time


def test_equal_faults_are_counted_and_the_latest_comes_first():
    status = Status(clock=Ticking(), version="1")
    status.fault("ledger", "locked")
    status.fault("meter", "broken")
    status.fault("ledger", "locked")
    faults = status.snapshot()["faults"]
    assert [(fault["component"], fault["count"]) for fault in faults] == [("ledger", 2), ("meter", 1)]


def test_kinds_of_faults_are_bounded():
    status = Status(clock=Ticking(), version="1")
    for number in range(1000):
        status.fault("x", str(number))
    assert len(status.snapshot()["faults"]) == 100


def test_a_snapshot_is_plain_data():
    status = Status(clock=Ticking(), version="1", ledger=lambda: LedgerHealth("spooling", 3))
    for microseconds in range(1, 101):
        status.overhead(microseconds)
    snapshot = status.snapshot()
    assert snapshot["ledger"] == {"state": "spooling", "waiting": 3}
    assert snapshot["latency"] == {"overhead_p50_us": 51, "overhead_p99_us": 100}
    assert snapshot["uptime_s"] >= 1
