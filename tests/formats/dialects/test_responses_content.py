from __future__ import annotations

from typing import Any

import pytest

from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.neutral import Document, Image, Refusal, Text
from underspend.formats.dialects.responses_content import read_cache, read_content, write_cache, write_content

PDF = Document("application/pdf", "AAA=", title="a.pdf")
PNG = "data:image/png;base64,AAA="
MARKED = {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}


@pytest.mark.parametrize(
    ("piece", "part"),
    [
        ({"type": "input_text", "text": "a"}, Text("a")),
        ({"type": "output_text", "text": "a", "annotations": []}, Text("a")),
        ({"type": "refusal", "refusal": "No."}, Refusal("No.")),
        ({"type": "input_image", "image_url": PNG, "detail": "low"}, Image("image/png", "AAA=", detail="low")),
        ({"type": "input_image", "image_url": "https://x/a.png"}, Image(url="https://x/a.png")),
        ({"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAA="}, PDF),
        ({"type": "input_file", "filename": "a.pdf", "file_data": "AAA="}, PDF),
        ({"type": "input_file", "file_url": "https://x/a.pdf"}, Document(url="https://x/a.pdf")),
        (MARKED, Text("a", "5m")),
    ],
)
def test_a_piece_is_read(piece: dict[str, Any], part: object) -> None:
    assert read_content([piece]) == [part]


def test_a_string_is_one_text() -> None:
    assert read_content("a") == [Text("a")]


@pytest.mark.parametrize(
    "piece",
    [
        {"type": "input_file", "file_id": "file_1"},
        {"type": "input_image", "file_id": "file_1"},
        {"type": "input_audio", "input_audio": {}},
    ],
)
def test_what_is_kept_at_openai_and_sound_are_refused(piece: dict[str, Any]) -> None:
    with pytest.raises(CannotCarryError):
        read_content([piece])


def test_a_file_of_plain_text_goes_as_text() -> None:
    assert write_content(Document(text="a", title="t")) == {"type": "input_text", "text": "t\na"}
    assert write_content(Document(text="a")) == {"type": "input_text", "text": "a"}


def test_bytes_have_a_name() -> None:
    written = write_content(Document("application/pdf", "AAA="))
    assert written["filename"] == "document.pdf"
    assert written["file_data"] == "data:application/pdf;base64,AAA="


@pytest.mark.parametrize("cache", [None, "5m", "1h"])
def test_lifetimes_come_back(cache: str | None) -> None:
    assert read_cache(write_cache(cache).get("prompt_cache_breakpoint", {})) == cache
