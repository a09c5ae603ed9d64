from __future__ import annotations

import pytest

from underspend.core.signs import Sign
from underspend.routing.qualities import quality_of


def test_nothing_seen_says_nothing() -> None:
    assert quality_of(frozenset()) is None


@pytest.mark.parametrize("sign", list(Sign))
def test_each_sign_says_how_well_it_went_and_how_far_to_trust_it(sign: Sign) -> None:
    found = quality_of(frozenset({sign}))
    assert found is not None
    quality, weight = found
    assert quality == (1.0 if sign is Sign.CHECK_PASSED else 0.0)
    assert 0 < weight <= 1


def test_a_failure_beside_a_pass_is_a_failure() -> None:
    assert quality_of(frozenset({Sign.CHECK_PASSED, Sign.CHECK_FAILED})) == quality_of(frozenset({Sign.CHECK_FAILED}))


def test_the_weightiest_failure_decides() -> None:
    assert quality_of(frozenset({Sign.CHECK_FAILED, Sign.REFUSED})) == quality_of(frozenset({Sign.REFUSED}))
