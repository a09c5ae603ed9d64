from __future__ import annotations

import pytest

from underspend.testing.fake_upstream.api_error import ApiError
from underspend.testing.fake_upstream.paging import page

ITEMS = [{"id": f"i{n}"} for n in range(5)]


def ids(query: dict[str, str]) -> tuple[str, bool]:
    found = page(ITEMS, query)
    return "".join(item["id"][1:] for item in found["data"]), found["has_more"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ("01234", False)),
        ({"limit": "2"}, ("01", True)),
        ({"limit": "2", "after_id": "i1"}, ("23", True)),
        ({"limit": "2", "after_id": "i3"}, ("4", False)),
        ({"limit": "2", "before_id": "i4"}, ("23", True)),
        ({"limit": "5", "before_id": "i2"}, ("01", False)),
    ],
)
def test_pages(query: dict[str, str], expected: tuple[str, bool]) -> None:
    assert ids(query) == expected


def test_cursors_name_the_ends() -> None:
    assert page(ITEMS, {})["first_id"] == "i0"
    assert page([], {}) == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"limit": "1001"}, {"after_id": "gone"}])
def test_bad_queries_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(ApiError):
        page(ITEMS, query)
