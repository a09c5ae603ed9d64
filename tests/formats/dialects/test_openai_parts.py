from __future__ import annotations

from typing import Any

import pytest

from underspend.core.errors import CannotCarryError
from underspend.formats.dialects.left_out import LeftOut
from underspend.formats.dialects.neutral import Document, Image, Part, Refusal, Text, ToolUse
from underspend.formats.dialects.openai_parts import read_call, read_content, split_data_url, write_content

MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def written(*parts: Part, marked: bool = False) -> tuple[Any, tuple[str, ...]]:
    left_out = LeftOut()
    return write_content(parts, left_out, marked=marked), left_out.notes


@pytest.mark.parametrize(
    ("part", "given"),
    [
        (
            Image("image/png", "eA==", detail="low"),
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA==", "detail": "low"}},
        ),
        (Image(url="https://x/y"), {"type": "image_url", "image_url": {"url": "https://x/y"}}),
        (
            Document("application/pdf", "eA==", title="a.pdf"),
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,eA=="}},
        ),
    ],
)
def test_pictures_and_files_are_read_as_they_are_written(part: Part, given: Any) -> None:
    assert written(part) == ([given], ())
    assert read_content([given]) == [part]


def test_text_alone_is_one_string_that_every_server_takes() -> None:
    document = Document("text/plain", text="d", title="t")
    assert written(Text("a"), Text(""), Refusal("no"), document) == ("a\n\nno\n\nt\n\nd", ())
    assert written(Document("text/plain", text="d")) == ("d", ())
    assert written() == ("", ())


def test_breakpoints_go_along_only_where_they_are_handed_on() -> None:
    parts = (Text("a", "1h"), Image(url="u"))
    content, notes = written(*parts)
    assert all("cache_control" not in each for each in content)
    assert notes == ("cache_control: the provider caches by its own rules",)
    content, notes = written(*parts, Refusal("r"), marked=True)
    assert content[0] == {"type": "text", "text": "a", **MARK}
    assert notes == ()
    assert written(Text("a"), marked=True)[0] == "a"


def test_other_forms_that_clients_write_are_read() -> None:
    assert read_content(None) == read_content("") == []
    assert read_content("a") == [Text("a")]
    assert read_content([{"type": "text", "text": "a", **MARK}]) == [Text("a", "1h")]
    assert read_content([{"type": "image_url", "image_url": "https://x"}]) == [Image(url="https://x")]
    assert read_content([{"type": "refusal", "refusal": "no"}]) == [Refusal("no")]
    assert read_content([{"type": "file", "file": {"file_data": "eA=="}}]) == [Document("application/pdf", "eA==")]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("data:image/png;base64,eA==", ("image/png", "eA==")),
        ("data:image/png;name=a;base64,eA==", ("image/png", "eA==")),
        ("data:,plain", ("", "")),
        ("https://x/y,z", ("", "")),
    ],
)
def test_data_urls_are_taken_apart(url: str, found: tuple[str, str]) -> None:
    assert split_data_url(url) == found


@pytest.mark.parametrize(
    "part", [{"type": "input_audio", "input_audio": {}}, {"type": "file", "file": {"file_id": "file-1"}}]
)
def test_sound_and_files_at_openai_are_refused(part: Any) -> None:
    with pytest.raises(CannotCarryError, match="cannot be sent to another provider"):
        read_content([part])


def test_a_part_of_another_kind_is_no_request() -> None:
    with pytest.raises(ValueError, match="'hologram'"):
        read_content([{"type": "hologram"}])


def test_a_document_by_its_address_is_refused() -> None:
    with pytest.raises(CannotCarryError, match=r"A document given by its address .* Send it as base64"):
        written(Document(url="https://x/y.pdf"))


def test_calls_are_read_and_custom_ones_refused() -> None:
    assert read_call({"id": "a", "function": {"name": "n", "arguments": ""}}) == ToolUse("a", "n", "{}")
    with pytest.raises(CannotCarryError, match="A custom tool"):
        read_call({"type": "custom"})
