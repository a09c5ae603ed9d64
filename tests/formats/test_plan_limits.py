"""Plan limits in headers: a share is read where it is said in full, and nothing else is made of anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.quota import Share, Window
from underspend.formats.plan_limits import SOURCE, of_headers

AT = 1_795_160_000_000_000
END = 1_795_170_000


def headers(window="5h", used="0.42", end=str(END)):
    name = f"Anthropic-RateLimit-Unified-{window}"
    return [(f"{name}-utilization".encode(), used.encode()), (f"{name}-reset".encode(), end.encode())]


def test_both_windows_are_read():
    assert of_headers([*headers(), *headers("7d", "0.07"), (b"date", b"today")], AT) == [
        Share(window=Window.FIVE_HOURS, at=AT, used_permille=420, resets_at=END * 1_000_000, source=SOURCE),
        Share(window=Window.SEVEN_DAYS, at=AT, used_permille=70, resets_at=END * 1_000_000, source=SOURCE),
    ]


def test_an_end_may_be_a_time_in_words():
    (share,) = of_headers(headers(end="2026-11-20T12:00:00Z"), AT)
    assert share.resets_at == 1_795_176_000_000_000


@pytest.mark.parametrize("used", ["", "much", "-1", "NaN", "Infinity", "101", "½"])
def test_a_share_that_is_none_is_left_out(used):
    assert of_headers(headers(used=used), AT) == []


@pytest.mark.parametrize("end", ["", "soon", "-1", "1e30", "2026-11-20T12:00:00", "ß"])
def test_an_end_that_is_none_leaves_its_share_out(end):
    assert of_headers(headers(end=end), AT) == []


@given(st.lists(st.tuples(st.sampled_from([each[0] for each in headers()]), st.binary(max_size=40))))
def test_whatever_is_said_nothing_is_raised(said):
    of_headers(said, AT)
