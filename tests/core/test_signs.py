from __future__ import annotations

import pytest

from underspend.core.signs import CERTAIN, MEANING, Sign


@pytest.mark.parametrize("sign", list(Sign))
def test_each_sign_says_in_words_what_it_is(sign: Sign) -> None:
    assert MEANING[sign]


def test_a_failed_check_alone_is_never_certain() -> None:
    assert Sign.CHECK_FAILED not in CERTAIN
    assert Sign.CHECK_PASSED not in CERTAIN
