from __future__ import annotations

import pytest

from underspend.formats.dialects.requests import decoded, number, whole


def test_a_request_is_an_object_with_messages() -> None:
    assert decoded(b'{"messages": [{"role": "user"}]}') == {"messages": [{"role": "user"}]}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"messages": null}', b'{"messages": ["a"]}'])
def test_anything_else_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(ValueError, match="the request"):
        decoded(body)


@pytest.mark.parametrize(("given", "expected"), [(3, 3), (0, None), (-1, None), (True, None), (1.5, None), ("3", None)])
def test_a_number_of_something(given: object, expected: int | None) -> None:
    assert whole(given) == expected


@pytest.mark.parametrize(("given", "expected"), [(0.5, 0.5), (0, 0), (False, None), ("1", None), (None, None)])
def test_any_number(given: object, expected: float | None) -> None:
    assert number(given) == expected
