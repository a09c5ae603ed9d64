from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.testing.fake_upstream import tokens


def png(width: int, height: int) -> str:
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + struct.pack(">II", width, height)).decode()


@given(st.binary(max_size=300))
def test_four_bytes_are_a_token_and_nothing_is_free(raw: bytes) -> None:
    assert tokens.count(raw) == max(1, (len(raw) + 3) // 4)


@pytest.mark.parametrize(("text", "expected"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("ééé", 2)])
def test_output_text_is_counted_in_utf8(text: str, expected: int) -> None:
    assert tokens.count_text(text) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(28, 28), 1),
        (png(29, 28), 2),
        (png(280, 560), 200),
        (png(9000, 9000), tokens.IMAGE_TOKENS_CAP),
        (base64.b64encode(b"GIF89a" + struct.pack("<HH", 56, 28)).decode(), 2),
        ("not base64!", tokens.IMAGE_TOKENS_CAP),
        (base64.b64encode(b"\xff\xd8 jpeg").decode(), tokens.IMAGE_TOKENS_CAP),
    ],
)
def test_images_cost_by_their_size(data: str, expected: int) -> None:
    assert tokens.image_tokens({"type": "image", "source": {"type": "base64", "data": data}}) == expected


def test_an_image_by_url_costs_the_cap() -> None:
    block = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    assert tokens.image_tokens(block) == tokens.IMAGE_TOKENS_CAP
