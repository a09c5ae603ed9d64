from __future__ import annotations

from itertools import product

import pytest

from underspend.core.evidence import Evidence


@pytest.mark.parametrize(("one", "two"), list(product(Evidence, repeat=2)))
def test_a_chain_is_as_strong_as_its_weakest_link(one: Evidence, two: Evidence) -> None:
    order = ["billed", "measured", "simulated", "estimated"]
    assert order.index(one.weaker(two)) == max(order.index(one), order.index(two))
    assert one.weaker(two) is two.weaker(one)
