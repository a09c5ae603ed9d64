from underspend.core.holds import Claim, Reserved
from underspend.core.windows import FOREVER
from underspend.stores.holds.memory import MemoryHolds


def test_it_waits_for_nothing_and_forgets_accounts_that_are_empty() -> None:
    holds = MemoryHolds()
    assert holds.waits is False
    holds.restore("b|", (), now=0)
    claim = Claim("b", "b|", "b|", 10, enforced=True, bucket=0, since=0, until=FOREVER, forget=50)
    assert isinstance(holds.reserve("a", (claim,), 1, now=0, expires=5), Reserved)
    holds.settle("a", 1, now=0)
    holds.expire(now=50)
    assert holds._accounts == {}
    holds.expire(now=FOREVER)
    assert holds._calls == {}
    holds.close()
